#!/usr/bin/env bash
# Distils a real model: stories260K (a Llama trained on TinyStories) into a Llama of 80K parameters on the same tokenizer.
# The training text is sampled from the teacher itself. Needs the shared models and texts (DECANT_SHARED).
#
#   pipelines/stories.sh [OUTPUT] [SEED ...]
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${DECANT_SHARED:-../shared}
teacher=$shared/data/models/stories260K
output=${1:-runs/stories}
shift || true
seeds=${*:-1 2 3}
[ -d "$teacher" ] || { echo "stories: skipped, $teacher is not there (set DECANT_SHARED)"; exit 0; }
decant=${DECANT:-.build/release/decant}
[ -x "$decant" ] || swift build -c release --product decant

DECANT=$decant pipelines/stories-data.sh "$output"
wc -l "$output"/{train,validation,heldout,continuations}.jsonl >&2

for start in tuned random; do
  DECANT=$decant scripts/seeds "pipelines/stories-$start.yaml" "$output/$start" cross-entropy $seeds -- \
    --set "variables.teacher=$teacher" --set "variables.data=$output" --set "variables.text=$shared/data/text/tinystories"
done
