#!/usr/bin/env python3
"""Golden files of TokenizersTests: small models of SentencePiece, and what transformers makes of awkward texts with them; and
the normal forms of every character as Hugging Face tokenizers has them.

    python scripts/golden/sentence_piece.py        (sentencepiece, transformers, tokenizers, protobuf)

Each case becomes Tests/TokenizersTests/Golden/sentence-piece/NAME.model, and NAME.json: the class and the settings that a
tokenizer_config.json names, and for each text of texts.json there its ids, the ids with special tokens, and the text of
these. t5.tokenizer.json is what transformers saves of the first one. normal-forms.json has for each form a hash (FNV-1a) of
what becomes of every 4,096 characters, joined by line feeds."""

import json
import os
import pathlib
import random
import shutil
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import normalizers
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "Tests" / "TokenizersTests" / "Golden"
FOLDER = GOLDEN / "sentence-piece"
# Latin, its accents, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Thai, Han, Kana, Hangul and its parts, emoji, flags, marks,
# full-width forms, ligatures, spaces and marks of direction, control characters, letter-like symbols, skin tones.
SCRIPTS = [
    (0x41, 0x5A), (0x61, 0x7A), (0x20, 0x7E), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x600, 0x6FF), (0x590, 0x5FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x4E00, 0x4EFF), (0x3040, 0x30FF), (0xAC00, 0xACFF), (0x1100, 0x11FF), (0x1F300, 0x1F6FF),
    (0x1F1E6, 0x1F1FF), (0x300, 0x36F), (0xFF00, 0xFFEF), (0xFB00, 0xFB4F), (0x2000, 0x206F), (0x0, 0x1F), (0x2100, 0x21FF),
    (0x3300, 0x33FF), (0x1F3FB, 0x1F3FF)]
PIECES = [
    " ", "  ", "\u3000", "\u200d", "\ufe0f", "\u0301", "e\u0301", "\r\n", "\ufb01", "<s>", "</s>", "<unk>", "<extra_id_0>",
    "\u2581", "the ", "teacher", "\u00a0", "\u00bd", "\u337f", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u0915\u094d\u0937\u093f", "\u0e01\u0e33"]
# What SentencePiece is to make of some characters, in place of its own table, which has 240 kB.
RULES = """FB01	66 69
65 301	E9
FF21	41
2163	49 56
A0	20
3000	20
9	20
A	20
D A	20
AD
337F	682A 5F0F 4F1A 793E
BD	31 2044 32
"""


def strings(count, seed=3):
    """Seeded texts, each of one to three scripts."""
    source = random.Random(seed)
    result = []
    for _ in range(count):
        scripts = [source.choice(SCRIPTS) for _ in range(source.randint(1, 3))]
        text = ""
        for _ in range(source.randint(0, 24)):
            kind = source.random()
            text += source.choice(PIECES) if kind < 0.2 else " " if kind < 0.3 else chr(source.randint(*source.choice(scripts)))
        result.append(text)
    return result


def train(folder, name, **options):
    lines = [text.replace("\n", " ") for text in json.loads((GOLDEN / "texts.json").read_text()) if text.strip()] * 3
    lines += ["The student reads what the teacher wrote. Über allen Gipfeln ist Ruh. Дистилляция знаний. 蒸馏模型 Ελληνικά"] * 5
    rules = pathlib.Path(folder) / "rules.tsv"
    rules.write_text(RULES)
    if options.pop("has_rules"):
        options["normalization_rule_tsv"] = str(rules)
    else:
        options["normalization_rule_name"] = "identity"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=f"{folder}/{name}", minloglevel=2, hard_vocab_limit=False, num_threads=1,
        character_coverage=0.98, **options)
    path = pathlib.Path(folder) / f"{name}.model"
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(path.read_bytes())
    # Where it was trained is of no interest.
    model.trainer_spec.model_prefix = ""
    model.normalizer_spec.normalization_rule_tsv = ""
    path.write_bytes(model.SerializeToString())
    return path


UNIGRAM = dict(model_type="unigram", vocab_size=300, has_rules=True, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
BYTES = dict(
    model_type="unigram", vocab_size=480, has_rules=True, byte_fallback=True, user_defined_symbols=["<mask>", "teacher", "a+b"],
    control_symbols=["<ctl>"])
PAIRS = dict(model_type="bpe", vocab_size=500, has_rules=False, byte_fallback=True, remove_extra_whitespaces=False)
CASES = {
    "t5": (UNIGRAM, "spiece.model", {"tokenizer_class": "T5Tokenizer"}),
    "unigram": (BYTES, "tokenizer.model", {}),
    "first": (BYTES, "tokenizer.model", {"legacy": False, "add_eos_token": True}),
    "pairs": (PAIRS, "tokenizer.model", {"add_bos_token": True}),
    "llama": (PAIRS, "tokenizer.model", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}),
    "legacy": (PAIRS, "tokenizer.model", {"tokenizer_class": "LlamaTokenizerFast", "legacy": True, "bos_token": "<b>"}),
    "gemma": (PAIRS, "tokenizer.model", {"tokenizer_class": "GemmaTokenizer"}),
}


def make(name, texts):
    options, file, config = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        trained = train(folder, "trained", **dict(options))
        place = os.path.join(folder, "model")
        os.makedirs(place)
        shutil.copy(trained, f"{place}/{file}")
        pathlib.Path(f"{place}/config.json").write_text("{}")
        if config:
            pathlib.Path(f"{place}/tokenizer_config.json").write_text(json.dumps(config))
        backend = AutoTokenizer.from_pretrained(place).backend_tokenizer
        first = next(n for n in CASES if CASES[n][0] is options)
        if first == name:
            shutil.copy(trained, FOLDER / f"{name}.model")
        if name == "t5":
            (FOLDER / "t5.tokenizer.json").write_text(json.dumps(json.loads(backend.to_str()), separators=(",", ":")) + "\n")
    vectors = []
    for text in texts:
        ids = backend.encode(text, add_special_tokens=True).ids
        vectors.append([
            backend.encode(text, add_special_tokens=False).ids, ids, backend.decode(ids, skip_special_tokens=False)])
    write(FOLDER / f"{name}.json", {"model": f"{first}.model", "file": file, "configuration": config, "texts": vectors})


def write(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")
    print(path.name, path.stat().st_size)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{value:016x}"


def token(content, **changes):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": True, "special": False, **changes}


# Files beside a tokenizer.json, that of T5 where none is named, and what they change of it.
COMPANIONS = [
    {"tokenizer.json": "../byte-fallback", "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"}},
    {"tokenizer.json": "../byte-fallback", "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "legacy": True}},
    {"tokenizer.json": "../byte-fallback",
     "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False, "pad_token": "<new>"}},
    {"tokenizer.json": "../byte-fallback", "tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer"}},
    {"tokenizer.json": "../byte-fallback", "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"},
     "config.json": {"model_type": "mistral"}},
    {"tokenizer_config.json": {"bos_token": "<b>", "pad_token": "<pad2>", "additional_special_tokens": ["<new>", "[X]"]}},
    {"tokenizer_config.json": {
        "added_tokens_decoder": {
            "900": token("<new>", lstrip=True), "5": token("teacher", single_word=True),
            "901": token("[X]", rstrip=True, normalized=False, special=True)}, "sep_token": "<b>"}},
    {"added_tokens.json": {"<new>": 700, "[X]": 650},
     "special_tokens_map.json": {"bos_token": token("[X]"), "additional_special_tokens": ["<b>"]}},
    {"tokenizer_config.json": {"extra_special_tokens": {"image_token": "[X]"}, "boi_token": "<new>"}},
    {"tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_special_tokens": ["<new>"]}},
]
TEXTS = ["<new> x<new>y [X] a[X]  b", "the teacher, teachers  <new>", "<extra_id_5>  t", "<b>the</b> student <pad2>", "  a  b "]


def companions():
    cases = []
    for files in COMPANIONS:
        with tempfile.TemporaryDirectory() as folder:
            base = files.get("tokenizer.json", "t5")
            shutil.copy(FOLDER / f"{base}.tokenizer.json", f"{folder}/tokenizer.json")
            files = {"config.json": {}, **{name: value for name, value in files.items() if name != "tokenizer.json"}}
            files["tokenizer_config.json"] = {"tokenizer_class": "PreTrainedTokenizerFast", **files.get("tokenizer_config.json", {})}
            for name, value in files.items():
                pathlib.Path(f"{folder}/{name}").write_text(json.dumps(value))
            backend = AutoTokenizer.from_pretrained(folder).backend_tokenizer
            ids = [backend.encode(text).ids for text in TEXTS]
        cases.append({"base": base, "files": files, "texts": [[text, i, backend.decode(i)] for text, i in zip(TEXTS, ids)]})
    write(FOLDER / "companions.json", cases)


def normal_forms():
    forms = {}
    for name in ["NFC", "NFD", "NFKC", "NFKD", "Nmt"]:
        normalizer = getattr(normalizers, name)()
        forms[name] = []
        for start in range(0, 0x40000, 4096):
            characters = [chr(c) for c in range(max(start, 1), start + 4096) if not 0xD800 <= c < 0xE000]
            forms[name].append(fnv(normalizer.normalize_str("\n".join(characters)).encode()))
    write(GOLDEN / "normal-forms.json", forms)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = strings(90) + ["", " ", "   ", "  the teacher  ", "a+b <mask>teacher", "<ctl> x<s>y</s> z", "\u2581 \u2581a", "aa" * 40]
    write(FOLDER / "texts.json", texts)
    for name in CASES:
        make(name, texts)
    companions()
    normal_forms()


if __name__ == "__main__":
    main()
