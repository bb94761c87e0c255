#!/bin/sh
# Times the peers of the named cases, then gramstep itself; JSON lines go to stdout and talk to stderr.
# Usage: run.sh CASE.. [--threads N] [--repeats N]
set -eu
here=$(dirname "$0")
threads=2
repeats=20
cases=
while [ $# -gt 0 ]; do
    case $1 in
        --threads) threads=${2:?} && shift ;;
        --repeats) repeats=${2:?} && shift ;;
        -*) echo "run.sh: unknown option $1" >&2 && exit 2 ;;
        *) cases="$cases $1" ;;
    esac
    shift
done
if [ -z "$cases" ]; then
    echo "usage: run.sh CASE.. [--threads N] [--repeats N]" >&2
    exit 2
fi
options="--threads $threads --repeats $repeats"

"$here/setup.sh" >&2
# These settings pin OpenBLAS to one processor's kernels, which may be slow ones here.
for peers in torch jax ntk; do
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
        "$here/.venvs/$peers/bin/python" "$here/${peers}_peers.py" $cases $options
done

if command -v cargo >/dev/null && [ -f "$here/../Cargo.toml" ]; then
    for name in $cases; do
        cargo run --release --quiet --manifest-path "$here/../Cargo.toml" -- "$name" $options ||
            echo "run.sh: gramstep did not finish '$name'" >&2
    done
else
    echo "run.sh: no cargo or no benchmark of gramstep here, peers only" >&2
fi
