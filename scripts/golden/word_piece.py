#!/usr/bin/env python3
"""Golden files of TokenizersTests for BERT's tokenizers: small WordPiece vocabularies made here, what Hugging Face
tokenizers makes of awkward texts with them under every setting of BERT's normalizer, and which characters the normalizer
and the pre-tokenizer take for what.

Needs the package `tokenizers`, 0.23; run from the root of the checkout."""

import json
import pathlib
import random

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

FOLDER = pathlib.Path("Tests/TokenizersTests/Golden")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CORPUS = """
The student reads what the teacher wrote, and the teacher reads what the student writes. A cache holds the logits.
It's the 2nd of 3 lessons; there're 12,345 tokens, they'll say -- and 67.89% of them don't matter. Café, naïve, Führer.
Unaffable readers were rereading unreadable readings, unteachable teachers teaching teachable students.
Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch. Дистилляция знаний, ученик и учитель.
蒸馏模型 知識の蒸留 학생과 선생님 นักเรียน विद्यार्थी الطالب والمعلم 😀😁
""".strip().split("\n")
TEXTS = json.loads((FOLDER / "texts.json").read_text()) + [
    "[CLS] the [MASK] reads [SEP]", "x[MASK]y", "[mask] [cls]", "ünaffable UNAFFABLE unaffablé", "x" * 100, "x" * 101, "é" * 100,
    "e\u0301" * 101, "\U0001f600" * 100 + " a", "##reads", "a##b", "don't do not n't 's 've", "teacher.student!why?", "中文abc中文", "a中b",
    "\u1885\u1886\u1734\u1735\u111c9\ua9bd", "a\u0898\u0316b", "q\u0316\u1abf\u0334r", "\U00011938x", "\u0344\u0958\u1e9b\u0323",
    "각\u11a8 \u1112\u1161\u11ab", "İIıi ẞß ΑΣ Σ", "\u00ad\u200d\u2060\ufeff\ue000\U000e0001\u0890", "\u2028\u2029\u0085\u001c\u000b",
    "Ａ－Ｂ　Ｃ！", "_under_score_", "a\u2014b\u2026c\u00a1\u00bf\u00b4`^~$+<=>|", "\u2e52\u2e5d\u061d", "\uff9e\u3099か\u3099",
    "tschüß\u0308 ñandú ångström", "\ua7ce\U00016ea0\u1c89", "\u2e80㐀𠀀𫜴豈𠔜⼀々",
]
NORMALIZERS = {
    "word-piece-uncased": dict(), "word-piece-cased": dict(lowercase=False),
    "word-piece-accents": dict(lowercase=True, strip_accents=False),
    "word-piece-stripped": dict(lowercase=False, strip_accents=True, handle_chinese_chars=False),
    "word-piece-raw": dict(clean_text=False, lowercase=False, strip_accents=False, handle_chinese_chars=False),
}


def random_texts(count):
    source = random.Random(7)
    alphabet = list("aéäÉ ZthereTeacherunaffable  \n\t'.,!0129_-<>/|#") + [
        "\u0301", "\u0323", "\u00a0", "\u3000", "蒸", "馏", "😀", "д", "Й", "½", "ß", "İ", "\r\n", "[MASK]", "##", "학", "생", "ไ", "न", "ी", "\u200d"]
    return ["".join(source.choice(alphabet) for _ in range(source.randint(1, 40))) for _ in range(count)]


def make(options):
    """A tokenizer of BERT's parts whose vocabulary is seeded: the characters of the corpus, and substrings of its words as
    they come and as what goes on within a word. (Its trainer would give another one each time.)"""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(**options)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words = sorted({w for line in CORPUS for w, _ in t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(line))})
    source = random.Random(3)
    tokens = {c for word in words for c in word} | {"##" + c for word in words for c in word[1:]}
    for word in words:
        start, end = sorted(source.sample(range(len(word) + 1), 2))
        tokens |= {word[:end], ("##" if start else "") + word[start:end]} | ({word} if source.random() < 0.4 else set())
    known = sorted(tokens - set(SPECIAL)) + ["##", "x" * 7]
    t.model = models.WordPiece(
        vocab={token: index for index, token in enumerate(SPECIAL + known)}, unk_token="[UNK]", max_input_chars_per_word=100)
    t.add_special_tokens(SPECIAL)
    t.decoder = decoders.WordPiece(cleanup=options.get("lowercase", True))
    t.post_processor = (
        processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)) if options.get("clean_text") is False
        else processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]))
    return t


def vectors(tokenizer, texts):
    """Ids without and with special tokens, and both decodings; then decodings of ids that no text gives."""
    result = []
    for text in texts:
        ids, special = tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.encode(text).ids
        result.append([ids, special, tokenizer.decode(special), tokenizer.decode(special, skip_special_tokens=False)])
    source = random.Random(11)
    size = tokenizer.get_vocab_size()
    loose = [[source.randrange(size + 3) for _ in range(source.randint(1, 30))] for _ in range(20)]
    return {"texts": result, "loose": [[ids, tokenizer.decode(ids, skip_special_tokens=False)] for ids in loose]}


def runs(values):
    """Runs of numbers, one after the other as the distance from the end of the run before and the length."""
    out, end = [], 0
    for value in values:
        if out and value == end:
            out[-1] += 1
        else:
            out += [value - end, 1]
        end = value + 1
    return out


def classes():
    """The characters that each step does something to, of all there are but for planes without any."""
    def step(**options):
        off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
        return normalizers.BertNormalizer(**(off | options)).normalize_str
    clean, chinese, accents, lower = step(clean_text=True), step(handle_chinese_chars=True), step(strip_accents=True), step(lowercase=True)
    words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    characters = [*range(1, 0xD800), *range(0xE000, 0x32400), *range(0xE0000, 0xE0200)]
    return {
        "removed": runs(v for v in characters if clean(chr(v)) == ""), "space": runs(v for v in characters if clean(chr(v)) == " "),
        "chinese": runs(v for v in characters if chinese(chr(v)) == f" {chr(v)} "),
        "accents": runs(v for v in characters if accents(chr(v)) == ""),
        "decomposed": runs(v for v in characters if accents(chr(v)) not in ("", chr(v))),
        "lowercased": runs(v for v in characters if lower(chr(v)) != chr(v)),
        "punctuation": runs(v for v in characters if len(words(f"a{chr(v)}a")) == 3),
        "parting": runs(v for v in characters if len(words(f"a{chr(v)}a")) == 2),
    }


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


texts = TEXTS + random_texts(300)
write("word-piece.texts.json", texts)
for name, options in NORMALIZERS.items():
    tokenizer = make(options)
    write(f"{name}.tokenizer.json", json.loads(tokenizer.to_str()))
    write(f"{name}.vectors.json", vectors(tokenizer, texts))
write("bert-characters.json", classes())
