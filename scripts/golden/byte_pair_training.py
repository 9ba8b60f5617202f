#!/usr/bin/env python3
"""Golden file of TokenizersTests: the merges that Hugging Face tokenizers learns from a small corpus with GPT-2's
settings. Needs the package `tokenizers`; run from the root of the checkout. The output is deterministic."""

import json
import pathlib

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = [
    "The student reads what the teacher wrote, and the teacher reads what the student writes, over and over.",
    "A cache holds the logits; the logits hold what the teacher thinks of every token, tail and all: 12,345 of them.",
    "banana bandana cabana ababababab aaaa aaaaaaa aaaaaaaaaaaa", "It's the students' cache, they'll say. Don't they?",
    "Über allen Gipfeln ist Ruh. Дистилляция знаний, знания. 蒸馏模型 蒸馏 😀😀\n\n\n    indented\n\ttabbed   spaced",
]

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
    vocab_size=480, show_progress=False, special_tokens=["<|endoftext|>", "<pad>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
state = json.loads(tokenizer.to_str())
golden = {"corpus": CORPUS, "vocabularySize": 480, "model": state["model"]}
path = pathlib.Path("Tests/TokenizersTests/Golden/training.json")
path.write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")
