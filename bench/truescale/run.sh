#!/usr/bin/env bash
# The method at the sizes of the paper, on one machine, with what needs no published weights:
#
#     bench/truescale/run.sh CLIP CAPTIONS OUT [encode|bank|train|resume|all]
#
# CLIP is a CLIP B/32 folder; random weights do (bench/golden/make_full.py OUT clip_b32), for neither time nor memory depends on the numbers. CAPTIONS is
# captions_train2014.json of MS COCO, or that as .gz. Results go to the folder OUT:
#
#   encode   SAMPLE captions, drawn evenly from all, through the text tower (encode.txt): the time of all is that of the sample, extrapolated
#   bank     the softmax over 566,747 texts of width 512 and the 64 best, 256 queries and one (bank.txt, bank.jsonl)
#   train    STEPS steps of 128 captions of the paper's decoder as DeCap trains it: 4 layers, 768 wide, all of CLIP's vocabulary (train.txt, metrics.jsonl).
#            The learning rate is 2e-4 after 20 steps, not the recipe's 1e-5 after 1000: so few steps would show no learning
#   resume   the same training, ended by kill -9 at half of its steps and gone on with: the weights must be those of train, byte for byte (resume.txt)
#
# Times mean something on an otherwise idle machine only.
set -euo pipefail
clip=$(realpath "${1:?want a CLIP folder}") captions=$(realpath "${2:?want captions_train2014.json}") out=${3:?want a folder for the results} part=${4:-all}
steps=${STEPS:-100} sample=${SAMPLE:-8192}
mkdir -p "$out"
out=$(realpath "$out")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
go build -o "$work/syntic" ./cmd/syntic
uptime

# peak COMMAND...: runs it and prints its seconds and its peak resident memory
peak() {
  python3 -c 'import resource, subprocess, sys, time
t, code = time.time(), subprocess.run(sys.argv[1:]).returncode
print(f"{time.time() - t:.1f} s, peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")
sys.exit(code)' "$@"
}

# decap FOLDER: the training, in that folder
decap() {
  echo "$work/syntic" train --recipe coco-decap --alone --out "$1" --set clip.model="$clip" --set data.captions="$captions" --set data.count=$((steps * 128)) --set data.val= \
    --set data.images= --set data.test=world --set decoder.vocabulary=full --set train.epochs=1 --set train.lr=2e-4 --set train.warmup=20 --set shards.checkpoint=10
}

encode() {
  python3 -c 'import gzip, json, sys
path, n, to = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with (gzip.open if path.endswith(".gz") else open)(path, "rt") as f:
    texts = [" ".join(a["caption"].split()) for a in json.load(f)["annotations"]]
open(to, "w").write("".join(texts[i * len(texts) // n] + "\n" for i in range(n)))
print(f"{n} of {len(texts)} captions")' "$captions" "$sample" "$work/sample.txt" | tee "$out/encode.txt"
  peak "$work/syntic" encode texts "$work/sample.txt" --clip "$clip" --no-names --out "$work/features.safetensors" 2> /dev/null | tee -a "$out/encode.txt"
}

bank() {
  rm -f "$out/bank.jsonl"
  "$work/syntic" bench model --rounds 5 --save "$out/bank.jsonl" project/q256 project/q1 topk/q256 topk/q1 | tee "$out/bank.txt"
}

train() {
  peak $(decap "$out/whole") 2> "$work/progress" | tee "$out/train.txt" || { tail -3 "$work/progress" >&2; exit 1; }
  grep row- "$work/progress" | tail -1 | tee -a "$out/train.txt"
  cp "$out/whole/metrics.jsonl" "$out/"
}

# done_steps FILE: how many steps the progress on stderr tells
done_steps() { grep -o 'row-[^ ]* [0-9]*/' "$1" | tail -1 | grep -o '[0-9]*/$' | tr -d / || echo 0; }

resume() {
  : > "$work/progress"
  $(decap "$out/killed") 2> "$work/progress" > /dev/null &
  pid=$!
  until [ "$(done_steps "$work/progress")" -ge $((steps / 2)) ]; do sleep 1; kill -0 $pid; done
  kill -9 $pid
  wait $pid || true
  pid=
  echo "killed at $(tail -1 "$work/progress")" | tee "$out/resume.txt"
  $(decap "$out/killed") > /dev/null 2>&1
  (cd "$out" && sha256sum whole/model/decoder.safetensors killed/model/decoder.safetensors) | tee -a "$out/resume.txt"
  cmp "$out/whole/model/decoder.safetensors" "$out/killed/model/decoder.safetensors"
}

case $part in
encode | bank | train | resume) $part ;;
all) encode; bank; train; resume ;;
*) echo "part $part: want encode, bank, train, resume or all" >&2; exit 2 ;;
esac
