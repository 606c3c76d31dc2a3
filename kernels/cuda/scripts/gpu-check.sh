#!/usr/bin/env bash
# Everything that only a GPU can show, in one command, on a bare machine: the driver, and where they are there nvcc's tools (compute-sanitizer, ncu) and a
# Python with torch; no Go, no network.
#
#     kernels/cuda/scripts/gpu-check.sh --pack DIR     here: builds the test binaries and puts them, with what they read and this script, into DIR
#     DIR/gpu-check.sh [--minutes N] [OUT]             there: runs them within N minutes (25); OUT (DIR/out) gets check.jsonl and logs
#
# The parts come in order of worth: right against float64 and the same bits 30 times, the three named kernels and their likes first; whole models as on the CPU;
# times of the named kernels, ours and torch's; accesses and races on small sizes; times of the rest and of whole models; where the slowest three lose
# theirs. What no longer fits into the time is left out or cut off, and the table says so.
#
# Lines of check.jsonl: {"step", "ok", "seconds", …} of each step, timings of ours {"op", "size", "variant", "seconds", …} and of torch. The table comes last.
# PYTHON names the Python. What cannot be done there is said as a step that was left out, never as one that passed. Exit 1 if a step failed.
# With SYNTIC_LIBCUDA naming the emulator's library it runs dry, without a GPU: DRY=1 then takes the smallest sizes.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

pack() {
  local to=$1 root
  set -e
  root=$(cd "$here/../../.." && pwd)
  mkdir -p "$to/repo"
  to=$(cd "$to" && pwd)
  cd "$root"
  export CGO_ENABLED=1
  local flags=(-tags cuda -trimpath "-ldflags=-s -w")
  go build "${flags[@]}" -o "$to/syntic" ./cmd/syntic
  go test -c "${flags[@]}" -o "$to/kernels.test" ./kernels
  go test -c "${flags[@]}" -o "$to/cuda.test" ./kernels/cuda
  go test -c "${flags[@]}" -o "$to/ondevice.test" ./bench/ondevice
  mkdir -p "$to/repo/bench/ondevice" "$to/repo/clip/testdata" "$to/repo/diffusion/testdata"
  cp -r clip/testdata/tiny "$to/repo/clip/testdata/"
  cp -r diffusion/testdata/sd "$to/repo/diffusion/testdata/"
  cp kernels/cuda/scripts/gpu-check.sh kernels/cuda/peers/torch_cuda.py "$to/"
  git rev-parse HEAD > "$to/commit"
  du -sh "$to"
}

minutes=25
while [ $# -gt 0 ]; do
  case $1 in
    --pack) pack "${2:?"want the folder to pack into"}"; exit ;;
    --minutes) minutes=${2:?"want a number of minutes"}; shift 2 ;;
    -*) echo "unknown option $1: want --pack DIR, or [--minutes N] [OUT]" >&2; exit 2 ;;
    *) break ;;
  esac
done
case $minutes in '' | *[!0-9]* | 0) echo "--minutes $minutes: want a whole number, 1 or more" >&2; exit 2 ;; esac
[ -x "$here/kernels.test" ] || { echo "$here has no test binaries: gpu-check.sh --pack DIR, then DIR/gpu-check.sh" >&2; exit 2; }

out=${1:-$here/out}
limit=$((minutes * 60))
dry=${DRY:-}
python=${PYTHON:-python3}
mkdir -p "$out" && out=$(cd "$out" && pwd)
log=$out/check.jsonl
: > "$log"
failed=0
export SYNTIC_LIBCUDA=${SYNTIC_LIBCUDA:-libcuda.so.1} # the tests would else look for a GPU by its file, and where they find none build the emulator
export SYNTIC_PARITY=cuda                              # of the CPU's variants nothing is to be shown here
left() { echo $((SECONDS < limit ? limit - SECONDS : 0)); }

say() { printf '{"step": "%s", "ok": %s, "seconds": %d%s}\n' "$1" "$2" "$3" "${4:+, $4}" | tee -a "$log"; }
omit() { say "$1" null "${3:-0}" "\"left_out\": \"$2\""; }

# step NAME LEAST MOST COMMAND...: runs it if LEAST seconds are left, within MOST; what it prints goes to NAME.log. Correctness that takes longer has failed, as a
# kernel may hang; of times (TIMING=1) what came before counts.
step() {
  local name=$1 least=$2 most=$3 own=$3 began=$SECONDS code=0
  shift 3
  if [ "$(left)" -lt "$least" ]; then omit "$name" "$(left) s left of $limit, it wants $least"; return 1; fi
  [ "$most" -le "$(left)" ] || most=$(left)
  timeout -k 5 "$most" "$@" > "$out/$name.log" 2>&1 || code=$?
  if [ $code = 0 ]; then say "$name" true $((SECONDS - began)); return; fi
  if [ $code = 124 ] && [ "$most" -lt "$own" ]; then omit "$name" "cut off: the $limit s are over" $((SECONDS - began)); return 1; fi
  if [ $code = 124 ] && [ -n "${TIMING:-}" ]; then omit "$name" "cut off after $most s: what came before counts" $((SECONDS - began)); return 1; fi
  if grep -q ERR_NVGPUCTRPERM "$out/$name.log"; then omit "$name" "the driver lets no user read performance counters here" $((SECONDS - began)); return 1; fi
  failed=1
  say "$name" false $((SECONDS - began)) "\"exit\": $code"
  tail -n 5 "$out/$name.log" >&2
  return 1
}

# parity NAME LEAST MOST OPS [more arguments]: ops against float64, each variant 30 times with the same bits
parity() {
  local name=$1 least=$2 most=$3 ops=$4
  shift 4
  step "$name" "$least" "$most" env SYNTIC_RUNS="${RUNS:-30}" "$@" "$here/kernels.test" -test.run "^TestParity\$/^($ops)\$"
}

# time_op OP [NAME SIZES]: our variants at the sizes of the models, or at these; lines that came before an end by the clock count too
time_op() {
  local name=time-${2:-$1}
  TIMING=1 step "$name" 10 90 "$here/syntic" bench kernel "$1" --device cuda --sizes "${3:-$sizes}" --time "$each" --json
  [ ! -f "$out/$name.log" ] || grep '^{"op"' "$out/$name.log" >> "$log"
}

# torch_at NAME MOST OPS [--models]: torch at the sizes of our lines of these ops
torch_at() {
  local name=$1 most=$2 ops=$3
  shift 3
  if [ "$(left)" -ge 30 ] && ! "$python" -c 'import torch' 2> /dev/null; then omit "$name" "$python has no torch"; return; fi
  grep -E "^\{\"op\":\"($ops)\"" "$log" > "$out/$name.ours"
  TIMING=1 step "$name" 30 "$most" "$python" "$here/torch_cuda.py" "$out/$name.ours" "$@" ${dry:+--dry}
  [ ! -f "$out/$name.log" ] || grep '^{' "$out/$name.log" >> "$log" # also what there was time for
}

named="attention attention_grad infonce project_topk topk gemm conv2d linear_crossentropy conv2d_grad_x conv2d_grad_w"
# More sizes of these: attention on packed heads of 160 (the UNet's deep levels), exact search by a bank in bfloat16 (1) and bytes (2) beside float32 rows
packed=2,256,256,8,160,96\;2,64,64,8,160,96
near=64,100000,512,10,0,0\;64,100000,512,10,0,1\;64,100000,512,10,0,2\;1,100000,512,10,0,0\;1,100000,512,10,0,1\;1,100000,512,10,0,2
tuned="--sizes real"
sizes=real each=100ms
either() { echo "$*" | tr ' ' '|'; }

# 1. What is here. Without a device nothing below means anything.
say "commit $(cat "$here/commit" 2>/dev/null || echo unknown)" true 0
step doctor 0 60 "$here/syntic" doctor --out "$out"
grep -q 'cuda:0' "$out/doctor.log" || { echo "no GPU: $(grep gpu "$out/doctor.log")" >&2; exit 1; }
grep gpu "$out/doctor.log"
ops=$("$here/syntic" kernels --json | tr '{' '\n' | sed -n 's/^"op":"\([a-z0-9_]*\)".*/\1/p')
[ -n "$ops" ] || { echo "syntic kernels --json names no op" >&2; exit 1; }
for op in $named; do grep -qx "$op" <<< "$ops" || { echo "no op $op: this script names one that is gone" >&2; exit 1; }; done
rest=$(echo "$ops" | grep -vxE "$(either $named)")
cases="sd-unet/512/f32 clip-image/b32/f32" pace="--time 3s"
if [ -n "$dry" ]; then # whole models would take hours on the emulator: a product in their place
  named="softmax crossentropy" rest="select" sizes=test each=0s cases="gemm/77x512x512/f32" pace="--time 0s --rounds 1"
  packed=1,8,8,1,16,96 near=2,40,8,3,0,1 tuned="--sizes 1,8,8,8,0,0,0 --formats f32 --tries 1"
fi
cd "$here/repo/bench/ondevice" || exit 1
step device 5 60 "$here/kernels.test" -test.v -test.run '^TestDevice$'
if command -v nvidia-smi > /dev/null; then step nvidia-smi 5 30 nvidia-smi -q -d CLOCK,PERFORMANCE,ECC; else omit nvidia-smi "not installed"; fi

# 2. Right against float64, the same bits 30 times: an op by itself, so that one that hangs costs its own time alone. Then the blocks, tiles and shapes that the
#    sizes of the ops do not reach, and whole models.
for op in $named; do parity "correct-$op" 10 90 "$op"; done
parity correct-rest 20 240 "$(either $rest)"
if [ -n "$dry" ]; then
  step correct-more 20 300 "$here/cuda.test" -test.run '^TestTies$'
  step models 20 600 env SYNTIC_BINARY="$here/syntic" "$here/ondevice.test" -test.run "CLIP|Decoder"
else
  step correct-more 20 120 "$here/cuda.test" -test.skip 'Cublas|TestTune|TestWatch|TestChoice|TestIndices'
  step models 20 120 env SYNTIC_BINARY="$here/syntic" "$here/ondevice.test" -test.v
fi

# 3. Times of the named kernels: ours, then torch's at the same sizes. First where cuBLASLt is faster at products: by a record of this run they take it there.
export SYNTIC_CUBLASLT_RECORD=$out/cublaslt.jsonl
TIMING=1 step tune 60 90 "$here/syntic" bench tune $tuned --device cuda
for op in $named; do time_op "$op"; done
time_op attention attention-packed "$packed"
time_op topk topk-near "$near"
torch_at torch 300 "$(either $named attention topk)"

# 4. No access out of bounds, no race in shared memory, nothing read that was not written.
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    RUNS=1 parity "sanitizer-$tool" 30 90 "$(either $named)" compute-sanitizer --tool "$tool" --error-exitcode 9
  done
else
  omit sanitizer "compute-sanitizer is not installed"
fi

# 5. Times of whole models and of the other ops.
for case in $cases; do
  TIMING=1 step "time-${case%%/*}" 40 180 "$here/syntic" bench model "$case" --device cuda $pace --json && grep '^{' "$out/time-${case%%/*}.log" >> "$log"
done
torch_at torch-models 240 none --models
for op in $rest; do time_op "$op"; done

# 6. Where the slowest three of ours lose their time.
if command -v ncu > /dev/null; then
  while read -r op; do
    TIMING=1 step "ncu-$op" 30 90 ncu --set full --launch-count 8 "$here/syntic" bench kernel "$op" --device cuda --sizes "$sizes" --time 0s
  done < <(sed -n 's/^{"op":"\([a-z0-9_]*\)".*"device":"cuda[^"]*".*"picked":true,"seconds":\([0-9.e-]*\).*/\2 \1/p' "$log" | sort -gr | awk '!seen[$2]++ {print $2}' | head -3)
else
  omit ncu "not installed"
fi

# 7. The table.
say total true "$SECONDS" "\"limit\": $limit"
[ -z "$dry" ] || echo "DRY RUN on the emulator: the times below mean nothing"
"$python" - "$log" <<'PY' || sed -n 's/^{"step": "\([^"]*\)", "ok": \([a-z]*\), \(.*\)}$/\2 \1 \3/p' "$log"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print("\nstep                             seconds  result")
for r in rows:
    if "step" in r:
        print(f"{r['step'][:32]:33} {r['seconds']:6d}  {'passed' if r['ok'] else 'left out: ' + r['left_out'] if r['ok'] is None else 'FAILED'}")
form = lambda r: r.get("format") or next((f for f in ("bf16", "f16") if r["variant"].endswith(f)), "f32")
torch = {(r["op"], tuple(r["dims"]), form(r)): r for r in rows if r.get("peer") == "torch" and "op" in r}
print(f"\n{'op':20} {'size':34} {'variant':18} {'ours':>11} {'torch':>11}  ours/torch")
whole = {r["case"]: r for r in rows if r.get("peer") == "torch" and "case" in r}
for r in rows:
    if "median" in r and "case" in r:
        t = whole.get(r["case"])
        print(f"{r['case'][:55]:55} {'':18} {r['median'] * 1e3:9.2f}ms " + (f"{t['seconds'] * 1e3:9.2f}ms  {r['median'] / t['seconds']:.2f}" if t else ""))
    if "variant" in r and r.get("device"):
        t = torch.get((r["op"], tuple(r["dims"]), form(r)))
        print(f"{r['op']:20} {' '.join(map(str, r['dims']))[:34]:34} {r['variant']:18} {r['seconds'] * 1e6:9.1f}us " + (f"{t['seconds'] * 1e6:9.1f}us  {r['seconds'] / t['seconds']:.2f}" if t else ""))
PY
exit $failed
