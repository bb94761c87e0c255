#!/bin/sh
# The PyTorch wheel links against gigabytes of CUDA libraries that a run on the CPU never calls. This puts stand-ins
# beside it that only define the symbols its loader asks for. Usage: cuda_stubs.sh TORCH_LIB_FOLDER
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --undefined-only ./*.so >"$work/undefined"

# stub LIBRARY SYMBOLS [linker options]: the names are data, so that a call by mistake ends the program.
stub() {
    library=$1
    sed -n "s/.* U \($2\)\$/\1/p" "$work/undefined" | sort -u | sed 's/@.*//; s/.*/void *&[1];/' >"$work/stub.c"
    shift 2
    cc -shared -Wl,-soname,"$library" "$@" -o "$library" "$work/stub.c"
}

# versioned LIBRARY TAG: the symbols carry the version tag TAG.
versioned() {
    echo "$2 { global: *; };" >"$work/version.map"
    stub "$1" "[^@]*@$2" -Wl,--version-script="$work/version.map"
}

for library in libcublas.so.13 libcublasLt.so.13 libcudnn.so.9 libcufft.so.12 libcupti.so.13 libcusparse.so.12 libnvrtc.so.13; do
    versioned $library $library
done
versioned libnvshmem_host.so.3 NVSHMEM
stub libcufile.so.0 'cuFile[^@]*'
stub libcusparseLt.so.0 'cusparseLt[^@]*'
stub libnccl.so.2 'nccl[^@]*'
