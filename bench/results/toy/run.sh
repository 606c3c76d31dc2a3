#!/usr/bin/env bash
# bench/results/toy/run.sh [NAME...]: the sweeps of ../toy.md on the drawn world, all of them or those named; it goes on where it was stopped.
# Runs go to the folder $WORK (runs/sweeps), which shares what it can: a plan of one is what syntic sweep --plan says with the arguments below.
# Tables of those that are finished are written to tables.md beside this file, and their charts as SVG.
set -euo pipefail
shopt -s nullglob
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
work=${WORK:-runs/sweeps}
mkdir -p "$work"
syntic=${SYNTIC:-$work/syntic}
if [ -z "${SYNTIC:-}" ]; then
  go build -o "$syntic" ./cmd/syntic
  git rev-parse --short HEAD >"$work/commit"
fi

base="$work/ablation"
sweeps=( # name, then arguments; the first value is the default, which the others are held against
  "refine.temperature --over refine.temperature=0.05,0.005,0.01,0.1,0.5"
  "refine.steps --over refine.steps=10,1,30,100"
  "memory.temperature --over memory.temperature=0.01,0.003,0.03,0.1"
  "memory.top_k --over memory.top_k=0,1,10,100"
  "memory.size --over memory.size=0,50,200,600"
  "data.share --over data.share=1,0.1,0.2,0.4,0.6,0.8"
  "objects.max_tags --over objects.max_tags=5,1,2"
  "noise --row capdec --over train.noise_std=0.06,0,0.03,0.12,0.24"
  "noise-ball --row capdec_ball --over train.noise_std=0.06,0.3,1"
  "decode.beams --over decode.beams=3,1,2,4,5"
  "rerank --row syntic,no_projection --over decode.rerank=none,fusion --over decode.beams=3,5"
)
wanted() { # wanted NAME WISHES...: is it among the wishes, or are there none?
  local name=$1
  shift
  [ $# = 0 ] || [[ " $* " == *" $name "* ]]
}

if wanted ablation "$@"; then
  "$syntic" ablate --rows syntic,no_refine,no_projection,no_objects,decap,capdec --seeds 3 --out "$base" --alone >"$work/ablation.part"
  mv "$work/ablation.part" "$work/ablation.txt"
fi
if wanted nocaps "$@"; then
  "$syntic" run --recipe toy-nocaps --set seeds=3 --out "$work/nocaps" --alone >"$work/nocaps.part"
  mv "$work/nocaps.part" "$work/nocaps.txt"
fi
for line in "${sweeps[@]}"; do
  read -r name arguments <<<"$line"
  if wanted "$name" "$@"; then
    # shellcheck disable=SC2086 # the arguments are words
    "$syntic" sweep $arguments --seeds 1,2,3 --out "$work/$name" --reuse "$base" >/dev/null
  fi
done

{
  printf '# Sweeps on the drawn world\n\n'
  printf '**Toy results**: 64×64 drawings and tiny models that this program trained itself. They compare with nothing published.\n\n'
  printf 'Written by `bench/results/toy/run.sh` at commit %s: 2,000 captions, 500 test images a setting, three seeds. Read [toy.md](../toy.md) first.\n' "$(cat "$work/commit")"
  for name in ablation nocaps; do
    [ -f "$work/$name.txt" ] || continue
    printf '\n## %s\n\n```\n' "$name"
    grep -v '^report: ' "$work/$name.txt"
    printf '```\n'
  done
  for line in "${sweeps[@]}"; do
    read -r name arguments <<<"$line"
    [ -f "$work/$name/sweep.md" ] || continue
    for chart in "$work/$name"/chart-*.svg; do cp "$chart" "$here/$name-$(basename "${chart#*/chart-}")"; done
    printf '\n## %s\n\n`syntic sweep %s --seeds 1,2,3`\n' "$name" "$arguments"
    tail -n +2 "$work/$name/sweep.md" | grep -v -e '^Recipe ' -e '^\*\*Toy scores' | sed "s|(chart-|($name-|" | cat -s
  done
} >"$here/tables.part"
mv "$here/tables.part" "$here/tables.md"
