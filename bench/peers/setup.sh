#!/bin/sh
# Makes the virtual environments of the peers, .venvs/{torch,jax,ntk}; does nothing where they are up to date.
# Needs python3 (3.11, or name another in PYTHON), a C compiler with binutils, and the Python package registry.
set -eu
cd "$(dirname "$0")"

# environment NAME FINISHING_COMMAND: built anew whenever requirements-NAME.txt has changed since.
environment() {
    name=$1
    folder=.venvs/$name
    shift
    if cmp -s "requirements-$name.txt" "$folder/installed.txt"; then
        return
    fi
    rm -rf "$folder"
    "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r "requirements-$name.txt"
    "$@"
    cp "requirements-$name.txt" "$folder/installed.txt"
}

stub_cuda() {
    sh cuda_stubs.sh .venvs/torch/lib/python3*/site-packages/torch/lib
}

environment torch stub_cuda
environment jax true
environment ntk true
