#!/usr/bin/env bash
# Everything that only a GPU can show, in one command, on a bare machine: the driver, and where they are there nvcc's tools (compute-sanitizer, ncu) and a
# Python with torch; no Go, no network.
#
#     kernels/cuda/scripts/gpu-check.sh --pack DIR     here: builds the test binaries and puts them, with what they read and this script, into DIR
#     DIR/gpu-check.sh [OUT]                           there: runs them within $LIMIT seconds (1500); OUT (DIR/out) gets check.jsonl and logs
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
  go build -tags cuda -o "$to/syntic" ./cmd/syntic
  go test -c -tags cuda -o "$to/kernels.test" ./kernels
  go test -c -tags cuda -o "$to/ondevice.test" ./bench/ondevice
  mkdir -p "$to/repo/bench/ondevice" "$to/repo/clip/testdata" "$to/repo/diffusion/testdata"
  cp -r clip/testdata/tiny "$to/repo/clip/testdata/"
  cp -r diffusion/testdata/sd "$to/repo/diffusion/testdata/"
  cp kernels/cuda/scripts/gpu-check.sh "$to/"
  cp kernels/cuda/peers/torch_cuda.py "$to/"
  git rev-parse HEAD > "$to/commit"
  du -sh "$to"
}

if [ "${1:-}" = --pack ]; then pack "${2:?"want the folder to pack into"}"; exit; fi

out=${1:-$here/out}
limit=${LIMIT:-1500}
dry=${DRY:-}
python=${PYTHON:-python3}
mkdir -p "$out" && out=$(cd "$out" && pwd)
log=$out/check.jsonl
: > "$log"
failed=0
left() { echo $((limit - SECONDS)); }

say() { printf '{"step": "%s", "ok": %s, "seconds": %d%s}\n' "$1" "$2" "$3" "${4:+, $4}" | tee -a "$log"; }
omit() { say "$1" null 0 "\"left_out\": \"$2\""; }

# step NAME SECONDS COMMAND...: runs it within its share of the time that is left; what it prints goes to NAME.log
step() {
  local name=$1 most=$2 began=$SECONDS code=0
  shift 2
  if [ "$(left)" -lt 10 ]; then omit "$name" "no time left of $limit s"; return 1; fi
  [ "$most" -le "$(left)" ] || most=$(left)
  timeout "$most" "$@" > "$out/$name.log" 2>&1 || code=$?
  if [ $code = 0 ]; then say "$name" true $((SECONDS - began)); return; fi
  failed=1
  say "$name" false $((SECONDS - began)) "\"exit\": $code"
  tail -n 5 "$out/$name.log" >&2
  return 1
}

# 1. What is here. Without a device nothing below means anything.
say "commit $(cat "$here/commit" 2>/dev/null || echo unknown)" true 0
step doctor 60 "$here/syntic" doctor --out "$out"
grep -q 'cuda:0' "$out/doctor.log" || { echo "no GPU: $(grep gpu "$out/doctor.log")" >&2; exit 1; }
if command -v nvidia-smi > /dev/null; then step nvidia-smi 30 nvidia-smi -q -d CLOCK,PERFORMANCE,ECC; else omit nvidia-smi "not installed"; fi

# 2. Right against float64, the same bits 30 times, whole models as on the CPU.
ops=$("$here/syntic" kernels --json | tr '{' '\n' | sed -n 's/^"op":"\([a-z0-9_]*\)".*/\1/p')
some='^TestParity$/^(binary|softmax|layer_norm|crossentropy|resize)$'
cd "$here/repo/bench/ondevice"
step device 60 "$here/kernels.test" -test.v -test.run '^TestDevice$'
if [ -n "$dry" ]; then
  step correct 600 "$here/kernels.test" -test.run "$some"
  step same-bits 300 env SYNTIC_RUNS=30 "$here/kernels.test" -test.run '^TestParity$/^(softmax|crossentropy)$'
  step models 600 env SYNTIC_BINARY="$here/syntic" "$here/ondevice.test" -test.run "CLIP|Decoder"
else
  step correct 300 "$here/kernels.test" -test.run '^TestParity$'
  step same-bits 300 env SYNTIC_RUNS=30 "$here/kernels.test" -test.run '^TestParity$'
  step models 120 env SYNTIC_BINARY="$here/syntic" "$here/ondevice.test" -test.v
fi

# 3. No access out of bounds, no race in shared memory, nothing read that was not written.
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "sanitizer-$tool" 120 compute-sanitizer --tool "$tool" --error-exitcode 9 "$here/kernels.test" -test.run "$some"
  done
else
  omit sanitizer "compute-sanitizer is not installed"
fi

# 4. Times: ours, then torch's at the same sizes.
sizes=real each=100ms
[ -z "$dry" ] || { sizes=test each=0s ops="softmax crossentropy select"; }
for op in $ops; do
  step "time-$op" 60 "$here/syntic" bench kernel "$op" --device cuda --sizes "$sizes" --time "$each" --json && sed 1d "$out/time-$op.log" >> "$log"
done
# whole models; on the emulator, where they would take hours, a product in their place
cases="sd-unet/512/f32 clip-image/b32/f32" pace="--time 3s"
[ -z "$dry" ] || { cases="gemm/77x512x512/f32" pace="--time 0s --rounds 1"; }
for case in $cases; do
  step "time-${case%%/*}" 180 "$here/syntic" bench model "$case" --device cuda $pace --json && grep '^{' "$out/time-${case%%/*}.log" >> "$log"
done
if "$python" -c 'import torch' 2> /dev/null; then
  step torch 420 "$python" "$here/torch_cuda.py" "$log" --models ${dry:+--dry}
  grep '^{' "$out/torch.log" >> "$log" # also what there was time for
else
  omit torch "$python has no torch"
fi

# 5. Where the slowest three of ours lose their time.
if command -v ncu > /dev/null; then
  sed -n 's/^{"op":"\([a-z0-9_]*\)".*"device":"cuda[^"]*".*"picked":true,"seconds":\([0-9.e-]*\).*/\2 \1/p' "$log" | sort -gr | awk '!seen[$2]++ {print $2}' | head -3 | while read -r op; do
    step "ncu-$op" 90 ncu --set full --launch-count 8 "$here/syntic" bench kernel "$op" --device cuda --sizes "$sizes" --time 0s
  done
else
  omit ncu "not installed"
fi

# 6. The table.
[ -z "$dry" ] || echo "DRY RUN on the emulator: the times below mean nothing"
"$python" - "$log" <<'PY' || sed -n 's/^{"step": "\([^"]*\)", "ok": \([a-z]*\).*/\2 \1/p' "$log"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print("\nstep                              result")
for r in rows:
    if "step" in r:
        print(f"{r['step'][:32]:33} {'passed' if r['ok'] else 'left out: ' + r['left_out'] if r['ok'] is None else 'FAILED'}")
torch = {(r["op"], tuple(r["dims"])): r for r in rows if r.get("peer") == "torch" and "op" in r}
print(f"\n{'op':20} {'size':34} {'variant':18} {'ours':>11} {'torch':>11}  ours/torch")
whole = {r["case"]: r for r in rows if r.get("peer") == "torch" and "case" in r}
for r in rows:
    if "median" in r and "case" in r:
        t = whole.get(r["case"])
        print(f"{r['case'][:55]:55} {'':18} {r['median'] * 1e3:9.2f}ms " + (f"{t['seconds'] * 1e3:9.2f}ms  {r['median'] / t['seconds']:.2f}" if t else ""))
    if "variant" in r and r.get("device"):
        t = torch.get((r["op"], tuple(r["dims"])))
        print(f"{r['op']:20} {' '.join(map(str, r['dims']))[:34]:34} {r['variant']:18} {r['seconds'] * 1e6:9.1f}us " + (f"{t['seconds'] * 1e6:9.1f}us  {r['seconds'] / t['seconds']:.2f}" if t else ""))
PY
exit $failed
