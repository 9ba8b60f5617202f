"""Ids of Decant beside those of transformers' AutoTokenizer, for random strings of several scripts each."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
from transformers import AutoTokenizer

from common import BENCH, GEMMA, ROOT, SHARED, Row

sys.path.insert(0, str(ROOT / "scripts" / "golden"))
from sentence_piece import strings  # noqa: E402

COUNT = 10_000
WORDS = "the student reads what a teacher wrote and writes it down again with care für über Дистилляция знаний Ελλάδα".split()


def ours(folder, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(text) + "\n" for text in texts))
        file.flush()
        done = subprocess.run([BENCH, "token-ids", str(folder), file.name], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench token-ids {folder} ended with {done.returncode}:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(name, folder, seed):
    backend = AutoTokenizer.from_pretrained(folder).backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    texts = strings(COUNT, seed)
    ids = ours(folder, texts)
    unequal = sum(backend.encode(text).ids != own for text, own in zip(texts, ids)) + abs(len(texts) - len(ids))
    return Row(f"{name}: ids of {COUNT:,} random strings of several scripts", f"{unequal} unequal", "all equal", unequal == 0)


def train(folder):
    lines = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1, 12)) for i in range(1, 60)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=f"{folder}/trained", vocab_size=300, hard_vocab_limit=False, num_threads=1,
        model_type="unigram", normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2)


def tokenizers():
    places = {"Gemma 3": GEMMA and f"{GEMMA}/gemma3-270m", "all-MiniLM-L6-v2": os.environ.get("DECANT_MINILM")}
    shared = SHARED / "data" / "tokenizers"
    places = {**{p.name: p for p in sorted(shared.glob("*")) if (p / "tokenizer.json").exists()}, **places}
    for seed, (name, place) in enumerate(places.items(), 1):
        if not place or not (Path(place) / "tokenizer.json").exists():
            print(f"parity: tokenizers leaves {name} out, which is not there", file=sys.stderr)
            continue
        yield row(name, place, seed)
    with tempfile.TemporaryDirectory() as folder:
        train(folder)
        for name, file, config in [
                ("tokenizer.model alone", "tokenizer.model", {}), ("spiece.model of T5", "spiece.model", {"tokenizer_class": "T5Tokenizer"})]:
            place = Path(folder) / file
            place.mkdir()
            shutil.copy(f"{folder}/trained.model", place / file)
            (place / "config.json").write_text("{}")
            if config:
                (place / "tokenizer_config.json").write_text(json.dumps(config))
            yield row(f"a Unigram, {name}", place, 11)
            saved = Path(folder) / f"saved-{file}"
            AutoTokenizer.from_pretrained(place).save_pretrained(saved)
            (saved / "config.json").write_text("{}")
            yield row(f"a Unigram, the tokenizer.json of {name}", saved, 12)
