#!/usr/bin/env bash
# Everything that bench/results has of the CPU against other engines, on an otherwise idle machine:
#
#     bench/peers/run.sh PYTHON [prepare|table|scaling|all] [ARGUMENTS of bench peers...]
#
# PYTHON has the packages of requirements.txt. "prepare" makes what peers keep, compiled code and exported graphs, and measures nothing worth keeping: it may run
# on a busy machine. "table" (27 minutes with --time 4s --rounds 3) writes peers.jsonl and peers.txt; "scaling" (about 8) writes scaling.jsonl with 1 and 2 threads, cost.jsonl with
# its plot cost.svg, and roofline.svg. Files that are there are replaced.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:?"want the path of a Python with the packages of bench/peers/requirements.txt"}
part=${2:-table}
shift $(($# < 2 ? $# : 2))
results=${RESULTS:-bench/results}
mkdir -p "$results"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
commit=$(git rev-parse HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit=$commit-changed
go build -ldflags "-X syntic/bench.commit=$commit" -o "$work/syntic" ./cmd/syntic
uptime

prepare() {
  "$work/syntic" bench peers --python "$python" --rounds 1 --time 0s --case clip-image --case clip-text --case decoder-train --case sd-unet --case gemm/1600x768x3072 "$@"
}

table() {
  rm -f "$results/peers.jsonl"
  "$work/syntic" bench peers --python "$python" --save "$results/peers.jsonl" --details "$@" | tee "$results/peers.txt"
}

scaling() {
  rm -f "$results/scaling.jsonl" "$results/cost.jsonl"
  "$work/syntic" bench model --threads 1,2 --save "$results/scaling.jsonl" gemm/1024x1024x1024 gemm/1600x3072x768 clip-image/b32 clip-text/b64 sd-unet/512 detr decoder-train
  "$work/syntic" bench model --time 2s --rounds 3 --save "$results/cost.jsonl" infonce project topk/*/f32
  "$work/syntic" bench plot "$results/cost.jsonl" --out "$results/cost.svg" --title "cost against rows: pairs of InfoNCE, texts of the bank"
  "$work/syntic" bench model --time 1s --rounds 3 --roofline "$results/roofline.svg" gemm/1024x1024x1024 gemm/77x2048x512 clip-image/b32 clip-image/b1 attention/sd64 attention/clip-image \
    infonce/n8192/f32 project/q256/f32 project/q1/f32 topk/q1/f32 sd-vae-decode/512 detr
}

case $part in
prepare) prepare "$@" ;;
table) table "$@" ;;
scaling) scaling ;;
all) table "$@"; scaling ;;
*) echo "part $part: want prepare, table, scaling or all" >&2; exit 2 ;;
esac
