#!/usr/bin/env bash
# The method at the sizes of the paper, on one machine, with what needs no published weights:
#
#     bench/truescale/run.sh CLIP CAPTIONS OUT [encode|bank|train|all]
#
# CLIP is a CLIP B/32 folder, random weights do (bench/golden/make_full.py OUT clip_b32): neither time nor memory depends on the numbers. CAPTIONS is
# captions_train2014.json (or .json.gz) of MS COCO. Results go to OUT:
#
#   encode   SAMPLE captions, drawn evenly from all, through the text tower: encode.txt; the time of all of them is the sample's, extrapolated
#   bank     566,747×512 texts: softmax over all rows, the 64 best, and one query: bank.jsonl
#   train    STEPS steps of 128 captions of the paper's decoder (4 layers, 768 wide, CLIP's vocabulary) as DeCap trains it; stopped once by kill -9 and
#            gone on with, and once without: train.txt, metrics.jsonl; the weights must be the same bytes
#
# Times mean something on an otherwise idle machine only.
set -euo pipefail
cd "$(dirname "$0")/../.."
clip=${1:?"want a CLIP folder"} captions=${2:?"want captions_train2014.json"} out=${3:?"want a folder for the results"} part=${4:-all}
steps=${STEPS:-200} sample=${SAMPLE:-8192}
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
syntic=$work/syntic
go build -o "$syntic" ./cmd/syntic
uptime

# peak COMMAND...: runs it, prints seconds and peak resident memory
peak() { python3 - "$@" <<'P'
import resource, subprocess, sys, time
t = time.time()
code = subprocess.run(sys.argv[1:]).returncode
print(f"{time.time() - t:.1f} s, peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")
sys.exit(code)
P
}

encode() {
  python3 - "$captions" "$sample" > "$work/sample.txt" <<'P'
import gzip, json, sys
f = gzip.open(sys.argv[1]) if sys.argv[1].endswith(".gz") else open(sys.argv[1])
a = json.load(f)["annotations"] if True else None
texts = [" ".join(x["caption"].split()) for x in a]
n = int(sys.argv[2])
print("\n".join(texts[i * len(texts) // n] for i in range(n)))
P
  { echo "$sample captions, one a line, through CLIP's text tower"; peak "$syntic" encode texts "$work/sample.txt" --clip "$clip" --no-names --out "$work/features.safetensors"; } 2>&1 | tee "$out/encode.txt"
}

bank() {
  rm -f "$out/bank.jsonl"
  "$syntic" bench model --rounds 5 --save "$out/bank.jsonl" project topk
}

train() {
  local run=("$syntic" train --recipe coco-decap --alone --set clip.model="$clip" --set data.captions="$captions" --set data.count=$((steps * 128)) --set data.val= --set data.images= --set data.test=world --set train.epochs=1)
  peak "${run[@]}" --out "$work/whole" 2>&1 | tee "$out/train.txt"
  cp "$work/whole/metrics.jsonl" "$out/"
  "${run[@]}" --out "$work/killed" > "$work/killed.log" 2>&1 &
  local pid=$! deadline=$((SECONDS + 7200))
  until grep -q "step $((steps / 2))" "$work/killed.log" || [ $SECONDS -gt $deadline ]; do sleep 1; kill -0 $pid; done
  kill -9 $pid; wait $pid || true
  "${run[@]}" --out "$work/killed" > "$work/killed2.log" 2>&1
  (cd "$work" && sha256sum whole/model/decoder.safetensors killed/model/decoder.safetensors) | tee -a "$out/train.txt"
  cmp "$work/whole/model/decoder.safetensors" "$work/killed/model/decoder.safetensors"
  echo "killed by kill -9 at half of its steps and gone on with: the same bytes" | tee -a "$out/train.txt"
}

case $part in
encode | bank | train) $part ;;
all) encode; bank; train ;;
*) echo "part $part: want encode, bank, train or all" >&2; exit 2 ;;
esac
