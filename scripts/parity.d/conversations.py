"""Conversations as rows, by the chat templates of trl's wheel and real tokenizers: text, ids and the assistant's tokens of
`decant tokenize` beside those of transformers."""
import json
import shutil
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

from common import GEMMA, SHARED, Row, decant

# Templates, and what each family's tokenizer_config.json names; those with `_training` mark what the assistant wrote.
QWEN = ["qwen2_5", "qwen2_5_training", "qwen3", "qwen3_training", "qwen3_instruct_2507_training"]
LLAMA3 = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
PHI3 = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
CASES = [("qwen2", QWEN, {"eos_token": "<|im_end|>"}),
         ("llama2", ["llama3", "llama3_training"], {"extra_special_tokens": LLAMA3, "bos_token": "<|begin_of_text|>"}),
         ("gpt2", ["phi3", "phi3_training"], {"extra_special_tokens": PHI3, "eos_token": "<|endoftext|>"}),
         ("gemma", ["gemma3", "gemma3_training"], {})]


def turn(role, content):
    return {"role": role, "content": content}


def conversations():
    hello = [turn("user", "Hi there"), turn("assistant", "Hello! How are you?")]
    yield hello
    yield hello + [turn("user", "ünïcode 你好 🙂 e\u0301"), turn("assistant", " 你好！ "), turn("user", ""), turn("assistant", "ok")]
    yield [turn("system", "Be brief.")] + hello + [turn("user", "2 + 2?\n\nThink."), turn("assistant", "4, of course.\n")]
    yield [turn("user" if i % 2 == 0 else "assistant", f"{i}: " + "words and wörter " * (i % 7)) for i in range(40)]
    yield [turn("user", "<|im_start|> </s> <end_of_turn> \t\r\n  x"), turn("assistant", "def f(x):\n    return {'a': x}\n")]


def compared(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chats = list(conversations())
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": c}) + "\n" for c in chats))
    lines = decant("tokenize", "--model", folder, "--data", folder / "rows.jsonl", "--train-on", "assistant", "--json")
    marks, unequal = "{%- generation" in tokenizer.chat_template or "{% generation" in tokenizer.chat_template, 0
    for chat, line in zip(chats, map(json.loads, lines.split("\n")[:-1]), strict=True):
        theirs = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=marks)
        mask = [0] * len(line["token_ids"])
        for position in line["scored_positions"]:
            mask[position + 1] = 1
        same = line["text"] == tokenizer.apply_chat_template(chat, tokenize=False) and line["token_ids"] == theirs["input_ids"]
        if marks:
            same = same and mask == theirs["assistant_masks"]
        unequal += not same
    return len(chats), unequal, marks


def rows():
    try:
        import trl
    except ImportError:
        return print("parity: conversations is left out, as trl is not installed", file=sys.stderr)
    templates = Path(trl.__file__).parent / "chat_templates"
    for name, chosen, config in CASES:
        source = Path(f"{GEMMA}/gemma3-270m") if name == "gemma" and GEMMA else SHARED / "data/tokenizers" / name
        if not (source / "tokenizer.json").exists():
            print(f"parity: conversations leaves {name} out, whose tokenizer is not there", file=sys.stderr)
            continue
        total = unequal = masks = 0
        for template in chosen:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                shutil.copy(source / "tokenizer.json", folder)
                own = source / "tokenizer_config.json"
                settings = json.loads(own.read_text()) if own.exists() else {"tokenizer_class": "PreTrainedTokenizerFast"}
                settings.pop("chat_template", None)
                (folder / "tokenizer_config.json").write_text(json.dumps({**settings, **config}))
                shutil.copy(templates / f"{template}.jinja", folder / "chat_template.jinja")
                count, wrong, marks = compared(folder)
                total, unequal, masks = total + count, unequal + wrong, masks + marks * count
        yield Row(f"{name}: text and ids of {total} conversations, masks of {masks}", f"{unequal} unequal", "all equal", unequal == 0)
