#!/usr/bin/env bash
# Rows that stories260K writes itself, divided by their place in the file, and the cache of what it says of them.
#
#   pipelines/stories-data.sh OUTPUT
#
# STORIES_ROWS  stories to write (default 3000)
set -euo pipefail
cd "$(dirname "$0")/.."
teacher=${DECANT_SHARED:-../shared}/data/models/stories260K
output=$1
decant=${DECANT:-.build/release/decant}
mkdir -p "$output"

# Prompts: most stories from the beginning-of-text alone, every fourth from a short opening.
if [ ! -s "$output/prompts.jsonl" ]; then
  awk -v rows="${STORIES_ROWS:-3000}" 'BEGIN {
    n = split("Once upon a time|One day, a little girl named Lily|Tom and Sam were|There was a big dog|In a small house|The sun was|Lily had a|One day, a boy named Ben|A little bird|Mom and Dad", opening, "|")
    for (i = 0; i < rows; i++) printf "{\"prompt\":\"%s\"}\n", i % 4 ? "" : opening[int(i / 4) % n + 1]
  }' >"$output/prompts.jsonl"
fi
$decant generate --model "$teacher" --data "$output/prompts.jsonl" --output "$output/stories.jsonl" \
  --max-new-tokens 500 --temperature 1 --seed 1 --batch-size 64

# Stories end with token 1, as the teacher was trained, although its tokenizer names another.
# Finished stories that are not empty; rows by their place in the file: held out, validation, training.
if [ ! -s "$output/train.jsonl" ]; then
  grep '"finish_reason":"eos"' "$output/stories.jsonl" | grep -v '"response":""' |
    awk -v out="$output" '{ file = NR % 7 == 1 ? "heldout" : NR % 40 == 2 ? "validation" : "train"; print > (out "/" file ".jsonl") }'
  grep -v '"prompt":""' "$output/heldout.jsonl" | head -n 120 >"$output/continuations.jsonl"
fi
$decant precompute --teacher "$teacher" --data "$output/train.jsonl" --cache "$output/cache" \
  --top-k 32 --end-of-text 1
