#!/usr/bin/env bash
# The bridge's tests on the emulator, any arguments going to go test.
# usage: test.sh FOLDER [-run …]     the folder holds cuda.h of CUDA 12 (wheel nvidia-cuda-runtime-cu12: nvidia/cuda_runtime/include)
set -euo pipefail
headers=$(realpath "${1:?usage: $0 FOLDER-OF-CUDA.H [-run …]}"); shift
[ -f "$headers/cuda.h" ] || { echo "$0: $headers has no cuda.h" >&2; exit 3; }
cd "$(dirname "$0")"
lib=$(mktemp -d)
trap 'rm -rf "$lib"' EXIT
go run ./emulated "$lib"
# the emulator lacks most of what cu can call: unresolved until called
export CGO_ENABLED=1 CGO_CFLAGS="-I$headers" CGO_LDFLAGS="-L$lib -Wl,-z,lazy -Wl,--unresolved-symbols=ignore-all" LD_LIBRARY_PATH="$lib"
go vet -tags cuda ./...
go test -tags cuda -count=1 "$@" ./...
