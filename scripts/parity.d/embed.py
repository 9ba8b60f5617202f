#!/usr/bin/env python3
"""Vectors of `decant embed` beside those of transformers, for a model as sentence-transformers keeps it.

    python scripts/parity.d/embed.py MODEL        (torch, transformers, safetensors)

MODEL is a folder such as that of sentence-transformers/all-MiniLM-L6-v2. The sentences are fifty, of several scripts and
lengths, one of them longer than the model reads; `decant` is that of `.build/release`, or DECANT. One line a comparison: what,
the figure, the target, and whether it is met. Exit status 1 where one is not."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
DECANT = os.environ.get("DECANT", str(ROOT / ".build" / "release" / "decant"))
TARGETS = {"fp32": 1e-4, "bf16": 2e-2}
SENTENCES = """
A man is eating food.|A man is eating a piece of bread.|The girl is carrying a baby.|A man is riding a horse.|A woman is playing violin.
Two men pushed carts through the woods.|A man is riding a white horse on an enclosed ground.|A monkey is playing drums.|Cheetah runs behind its prey.
The quick brown fox jumps over the lazy dog.|How do I reset my password?|what is the capital of france|E = mc^2|def f(x): return x ** 2  # square
Ein Mann isst ein Stück Brot.|Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch.|Le chat est assis sur le tapis.|¿Dónde está la biblioteca?
O rato roeu a roupa do rei de Roma.|Съешь же ещё этих мягких французских булок.|Η γρήγορη καφέ αλεπού.|השועל החום המהיר|الثعلب البني السريع
我爱北京天安门。|吾輩は猫である。名前はまだ無い。|나는 학생입니다.|ไทยเป็นภาษาที่สวยงาม|नमस्ते दुनिया|🎉🎊 party time!!! 😀|NASA's Voyager-1 left in 1977; it's 24,000,000,000 km away.
a|I.|...|don't WON'T can't|unaffable rereadings of antidisestablishmentarianism|cafe\u0301 naïve Ångström ﬁ|Tokens [MASK] and [SEP] in a text|   spaces   around   |tab\tand\u00a0nbsp
The committee, which had met on Tuesday to consider the proposal, adjourned without a decision because three of its members were absent.
""".strip().replace("\n", "|").split("|")
SENTENCES += [" ".join(SENTENCES[i % len(SENTENCES)] for i in range(start, start + count)) for start, count in [(0, 3), (5, 6), (11, 9), (20, 14), (3, 60), (7, 2), (30, 5)]]
SENTENCES = (SENTENCES + [f"Number {n} is written {'very ' * (n % 5)}plainly." for n in range(50)])[:50]


def settings(folder):
    """Pooling, whether vectors are normalized, and the longest text, as the files of sentence-transformers say."""
    pooling, normalizes = "mean", False
    if (folder / "modules.json").exists():
        for module in json.loads((folder / "modules.json").read_text()):
            if module["type"].endswith(".Normalize"):
                normalizes = True
            if module["type"].endswith(".Pooling"):
                config = json.loads((folder / module["path"] / "config.json").read_text())
                pooling = "cls" if config.get("pooling_mode_cls_token") else "mean"
    lengths = folder / "sentence_bert_config.json"
    longest = json.loads(lengths.read_text())["max_seq_length"] if lengths.exists() else None
    return pooling, normalizes, longest


def theirs(folder):
    pooling, normalizes, longest = settings(folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    with torch.no_grad():
        for sentence in SENTENCES:
            batch = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=longest or model.config.max_position_embeddings)
            hidden = model(**batch).last_hidden_state[0]
            rows.append(hidden[0] if pooling == "cls" else hidden.mean(0))
    vectors = torch.stack(rows)
    return torch.nn.functional.normalize(vectors) if normalizes else vectors


def ours(folder, precision, scratch):
    data, output = scratch / "sentences.jsonl", scratch / f"{precision}.safetensors"
    data.write_text("".join(json.dumps({"text": s}) + "\n" for s in SENTENCES))
    subprocess.run(
        [DECANT, "embed", "--model", str(folder), "--data", str(data), "--output", str(output), "--precision", precision],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return load_file(output)["embeddings"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder, met = Path(sys.argv[1]), True
    expected = theirs(folder)
    with tempfile.TemporaryDirectory() as scratch:
        for precision, target in TARGETS.items():
            gap = (ours(folder, precision, Path(scratch)) - expected).abs().max().item()
            met = met and gap <= target
            print(f"embed {folder.name}, {len(SENTENCES)} sentences, {precision}: largest difference {gap:.1e}, target {target:.0e}, "
                  f"{'met' if gap <= target else 'NOT MET'}")
    sys.exit(0 if met else 1)


main()
