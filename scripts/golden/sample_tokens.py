#!/usr/bin/env python3
"""Writes Tests/SamplesTests/Golden/sample_tokens.json: token ids and prompt lengths of prompts and responses with real
tokenizers (pip install tokenizers), for SampleBuilderTests.

    sample_tokens.py SHARED      where SHARED/data/tokenizers holds gpt2, llama2, opt and qwen2
"""
import json, os, sys
from tokenizers import Tokenizer

PAIRS = [
    ("Say hello.\n", "Hello, world!"), ("Q: yes or no? A: ", "yes"), ("un", "believable"), ("", "From nothing."),
    ("two\n", "\nlines"), ("naïve 日", "本 ✓"),
]
EOS = {"gpt2": 50256, "llama2": 2, "opt": 2, "qwen2": 151643}
cases = []
for name, eos in EOS.items():
    tokenizer = Tokenizer.from_file(f"{sys.argv[1]}/data/tokenizers/{name}/tokenizer.json")
    tokenizer.no_truncation()
    encode = lambda text, special=False: tokenizer.encode(text, add_special_tokens=special).ids
    prefix = encode("", True)
    for prompt, response in PAIRS:
        if not prompt and not prefix:
            continue
        alone, joint = encode(prompt), encode(prompt + response)
        common = 0
        while common < len(alone) and alone[common] == joint[common]:
            common += 1
        assert encode(prompt + response, True) == prefix + joint
        cases.append({"tokenizer": name, "eos": eos, "prompt": prompt, "response": response,
                      "token_ids": prefix + joint + [eos], "prompt_length": len(prefix) + common})
path = os.path.join(os.path.dirname(__file__), "../../Tests/SamplesTests/Golden/sample_tokens.json")
with open(path, "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
