"""Vectors of `decant embed` beside those of transformers, for a model as sentence-transformers keeps it."""
import json
import os
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from common import Row, decant, write_rows

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


def ours(folder, precision):
    with tempfile.TemporaryDirectory() as scratch:
        write_rows(f"{scratch}/rows.jsonl", [{"text": sentence} for sentence in SENTENCES])
        decant("embed", "--model", folder, "--data", f"{scratch}/rows.jsonl", "--output",
               f"{scratch}/vectors.safetensors", "--precision", precision)
        return load_file(f"{scratch}/vectors.safetensors")["embeddings"]


def vectors():
    folder = Path(os.environ.get("DECANT_MINILM", ""))
    if not (folder / "config.json").exists():
        print("parity: embed is left out, as DECANT_MINILM names no model folder", file=sys.stderr)
        return
    expected = theirs(folder)
    for precision, target in TARGETS.items():
        gap = (ours(folder, precision) - expected).abs().max().item()
        yield Row(
            f"all-MiniLM-L6-v2: vectors of {len(SENTENCES)} sentences, {precision}", f"{gap:.1e}", f"{target:g}",
            gap <= target)
