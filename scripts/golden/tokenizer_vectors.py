#!/usr/bin/env python3
"""Golden files of TokenizersTests: small tokenizers of every supported part, trained here, and what Hugging Face
tokenizers makes of awkward texts with them; and with the real tokenizers of the shared data (DECANT_SHARED), ids only.

Needs the package `tokenizers`; run from the root of the checkout. Its trainer breaks some ties at random, so that a second run may
give another tokenizer; it and its vectors always belong together."""

import json
import os
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path("Tests/TokenizersTests/Golden")
SHARED = pathlib.Path(os.environ.get("DECANT_SHARED", "../shared")) / "data"
CORPUS = """
The student reads what the teacher wrote, and the teacher reads what the student writes. A cache holds the logits.
It's the 2nd of 3 lessons; there're 12,345 tokens, they'll say -- and 67.89% of them don't matter. Café, naïve, Führer.
def skew(p, q, alpha=0.1):\n    return alpha * p + (1 - alpha) * q\n\n    # the mixture\n\tpass
Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch. Дистилляция знаний. 蒸馏模型 知識の蒸留 😀😁
""".strip().split("\n")

TEXTS = [
    "", " ", "  ", "   ", "\n", "\t", "\r\n", " \n ", "a", " a", "a ", "  a  b  ", "Hello, world!", "the teacher",
    "The student's cache: it's, they'll, WE'RE, I'D.", "12345 67.89 ½ ² ٣ Ⅷ", "naïve cafe\u0301 Ａ ﬁ", "e\u0301\u0323 \u1100\u1161\u11a8",
    "日本語のテキスト、蒸馏模型。", "😀👨‍👩‍👧‍👦🏳️‍🌈 ❤️", "\u00a0\u2003\u3000x\u200bz\u180e y\u0085w", "a\u0000b\u0007\u001f\u007f", "\ufeffbom", "\ufffd \uffff",
    "<s>", "</s> after", "before</s>", "a<s>b</s> c", "<|mask|>", "x <|mask|> y", "x<|mask|>y  <|mask|>  z", "<|mas|k|>",
    "word", "sword word words word.", "word\u0301 _word word_", "<pad><pad> <pad>", "NORM norm ÑORM n\u0303orm",
    "def f(x):\n    return x  # \t tab\n\n\n", "line one\nline two\r\nline three\n", "don't DON'T don’t 'sſ 'S", "a" * 100, "ab" * 70 + " ",
    " " * 40 + "x", "!?!?!?---___...", "x\u2581y \u2581 \u2581\u2581z", "<0x41><0x0A>", "Ġ Ċ Ø", "Дистилляция знаний ПРИВЕТ", "İstanbul ǅ ẞ Σς",
    "ไทย हिन्दी العربية עברית", "\U0001f9d9\U0001f3fd\u200d\u2642\ufe0f", "mixed 日本 and Кириллица, 42 times!", "tail\n ", "  ​ ",
]


def random_texts(count):
    """Seeded nonsense over alphabets that sit at the borders of the patterns."""
    source = random.Random(7)
    alphabet = list("aéz ZthereTeacher  \n\t'sdlm.,!0129_-<>/|") + ["\u0301", "\u00a0", "\u3000", "蒸", "😀", "д", "½", "▁", "\r\n", "</s>", "<|mask|>", "word"]
    return ["".join(source.choice(alphabet) for _ in range(source.randint(1, 40))) for _ in range(count)]


def train(tokenizer, size, added=(), **options):
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"], **options))
    tokenizer.add_tokens(list(added))
    return tokenizer


def byte_level():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    added = [
        AddedToken("<|mask|>", lstrip=True, rstrip=True, special=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False), AddedToken("<pad>", lstrip=True, special=True),
        AddedToken("n\u0303orm", normalized=True), AddedToken("ab" * 5, normalized=False),
    ]
    train(t, 400, added, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", t.token_to_id("<s>")), ("</s>", t.token_to_id("</s>"))])
    return t


def byte_fallback():
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)])
    train(t, 250)
    state = json.loads(t.to_str())
    vocabulary = state["model"]["vocab"]
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    for rare in "éü蒸Дq":
        if rare in vocabulary and not any(rare in "".join(m) for m in state["model"]["merges"]):
            vocabulary[f"removed {rare}"] = vocabulary.pop(rare)
    state["post_processor"] = {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    t = Tokenizer.from_str(json.dumps(state))
    t.add_tokens([AddedToken("cache"), AddedToken("<0x41>", normalized=False)])
    return t


def metaspace(scheme, split):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    t.decoder = decoders.Metaspace(prepend_scheme=scheme, split=split)
    return train(t, 220)


def whitespace():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, end_of_word_suffix="</w>", continuing_subword_prefix="##"))
    t.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Replace(Regex("[-_]+"), "-")])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation()])
    t.decoder = decoders.BPEDecoder(suffix="</w>")
    return train(t, 260, end_of_word_suffix="</w>", continuing_subword_prefix="##")


def splits(behaviors):
    t = Tokenizer(models.BPE(ignore_merges=True))
    patterns = {
        "merged_with_previous": Regex(r"\s"), "merged_with_next": "e", "contiguous": Regex(r"\w"), "removed": Regex(r"\d|[!-,]"),
        "isolated": Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")}
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(patterns[b], b, invert=False) for b in behaviors]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.post_processor = processors.Sequence([processors.ByteLevel(), processors.RobertaProcessing(("</s>", 2), ("<s>", 1))])
    t.decoder = decoders.ByteLevel()
    return train(t, 400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def character():
    vocabulary = {c: i for i, c in enumerate(sorted(set("".join(CORPUS[:3]))))}
    t = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    t.decoder = decoders.Fuse()
    return t


TINY = {
    "byte-level": byte_level, "byte-fallback": byte_fallback, "metaspace-first": lambda: metaspace("first", True),
    "metaspace-always": lambda: metaspace("always", False), "metaspace-never": lambda: metaspace("never", True),
    "whitespace": whitespace, "splits-a": lambda: splits(["isolated"]),
    "splits-b": lambda: splits(["merged_with_previous", "merged_with_next"]), "splits-c": lambda: splits(["removed", "contiguous"]),
    "character": character,
}


def vectors(tokenizer, texts):
    """Ids, the number of tokens before and after them where special tokens are added, and both decodings."""
    result = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        special = tokenizer.encode(text).ids
        result.append([ids, special, tokenizer.decode(special), tokenizer.decode(special, skip_special_tokens=False)])
    # Any ids decode, also those that no text gives.
    source = random.Random(11)
    size = tokenizer.get_vocab_size()
    loose = [[source.randrange(size + 3) for _ in range(source.randint(1, 30))] for _ in range(20)]
    return {"texts": result, "loose": [[ids, tokenizer.decode(ids, skip_special_tokens=False)] for ids in loose]}


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = TEXTS + random_texts(60)
    write("texts.json", texts)
    for name, make in TINY.items():
        tokenizer = make()
        write(f"{name}.tokenizer.json", json.loads(tokenizer.to_str()))
        write(f"{name}.vectors.json", vectors(tokenizer, texts))
    for name, folder in {
        "gpt2": "tokenizers/gpt2", "llama2": "tokenizers/llama2", "opt": "tokenizers/opt", "qwen2": "tokenizers/qwen2",
        "stories260K": "models/stories260K", "babyllama": "models/babyllama/teacher", "shakespeare": "models/shakespeare-gpt2",
    }.items():
        if not (SHARED / folder).is_dir():
            print(f"{name}: skipped, no {SHARED / folder}")
            continue
        tokenizer = Tokenizer.from_file(str(SHARED / folder / "tokenizer.json"))
        write(f"{name}.shared.json", [tokenizer.encode(text, add_special_tokens=False).ids for text in texts])


main()
