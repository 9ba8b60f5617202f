#!/usr/bin/env python3
"""Golden file of TokenizersTests: which characters of Unicode Hugging Face tokenizers takes for what.

Needs the package `tokenizers`, 0.22; run from the root of the checkout. For every pattern, the characters that a Split
removes; for every other pre-tokenizer, those that are cut off between two letters. Runs of characters are written one
after the other as the distance from the end of the run before and the length."""

import json
import pathlib

from tokenizers import Regex, pre_tokenizers

OUT = pathlib.Path("Tests/TokenizersTests/Golden/unicode-classes.json")
# Without the planes that hold nothing, private use, and the middles of the great blocks of ideographs and syllables.
CHARACTERS = [
    *range(0x2, 0x3500), *range(0x4D00, 0x4F00), *range(0x9F00, 0xAD00), *range(0xD700, 0xD800), *range(0xF900, 0x17100),
    *range(0x18700, 0x20100), *range(0x2A600, 0x2A800), *range(0x2B700, 0x2B900), *range(0x2CE00, 0x2CF00),
    *range(0x2EB00, 0x30100), *range(0x31300, 0x31400), *range(0x32300, 0x33480), *range(0xE0000, 0xE0200),
]
PATTERNS = [
    r"\p{L}", r"\p{N}", r"\p{M}", r"\p{P}", r"\p{S}", r"\p{Lu}", r"\p{Han}", r"\s", r"\w", r"[[:alpha:]]", r"[[:upper:]]",
    r"[[:punct:]]", r"[^\s\p{L}\p{N}]", r"(?i:\p{Ll})", r"[\x{A700}-\x{A7FF}\p{Lo}]",
]
STEPS = {
    "Whitespace": pre_tokenizers.Whitespace(), "Punctuation": pre_tokenizers.Punctuation(),
    "Digits": pre_tokenizers.Digits(individual_digits=True),
}


def runs(values):
    out, end = [], 0
    for value in values:
        if out and value == end:
            out[-1] += 1
        else:
            out += [value - end, 1]
        end = value + 1
    return out


def removed(pattern):
    text = "".join(map(chr, CHARACTERS))
    kept = {c for piece, _ in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(text) for c in piece}
    return [v for v in CHARACTERS if chr(v) not in kept]


def cut(step):
    return [v for v in CHARACTERS if len(step.pre_tokenize_str(f"a{chr(v)}a")) > 1]


golden = {pattern: runs(removed(pattern)) for pattern in PATTERNS} | {name: runs(cut(step)) for name, step in STEPS.items()}
OUT.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in golden.items()) + "\n}\n")
