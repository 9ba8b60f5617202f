"""Gemma 3 270M, as a directory of Hugging Face and as GGUF."""
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import (
    GEMMA, MOST_MEMORY, SHARED, THREADS, Row, bench, decant, greedy, largest_difference, log_probs, signals, write_rows)

CODE = '''def median(values):
    """Middle of the sorted values."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2
'''
STORY = ("Once upon a time, in a village between two rivers, there lived a clockmaker who repaired everything but clocks. "
         "He mended kettles, chairs and, once, a broken promise. ")
TEXTS = [
    "Über die Brücke fährt täglich ein grüner Zug; drinnen sitzen Ärzte, Köche und größere Bären.",
    "Three reasons to smile today: 😀 the sun 🌞, 👩‍👩‍👧‍👦 family, and a 🇯🇵 lunch 🍣 for €9.50.",
    CODE,
    "蒸馏是一种把大模型的知识传给小模型的方法。Дистилляция сохраняет распределение учителя.",
    # 700 tokens and more: beyond the window of 512.
    "".join(f"{i + 1}. {STORY}" for i in range(18)),
]
PROMPTS = ["The capital of France is", "Once upon a time", "def fibonacci(n):", "Die Hauptstadt von Österreich ist"]
NEW, BATCH, LENGTH, TOP_K, ROUNDS = 24, 8, 256, 64, 3


def here(file):
    """The path of a file of the model; None, with a word on why, where it is not there."""
    path = Path(GEMMA or "") / file
    if GEMMA and path.exists():
        return path
    print(f"parity: {file} is left out, as DECANT_GEMMA names no folder that has it", file=sys.stderr)
    return None


def reference(gguf=False, dtype=torch.float32):
    source = {"gguf_file": "gemma3-270m.gguf"} if gguf else {}
    folder = GEMMA if gguf else f"{GEMMA}/gemma3-270m"
    return (AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **source).eval(),
            AutoTokenizer.from_pretrained(folder, **source))


def compared(what, path, gguf, tolerance):
    model, tokenizer = reference(gguf)
    samples = signals(path, [{"text": text} for text in TEXTS], TOP_K)
    longest = max(len(sample["token_ids"]) for sample in samples)
    ids = {tuple(tokenizer(text)["input_ids"]) for text in TEXTS}
    own = {tuple(sample["token_ids"][:len(sample["token_ids"])]) for sample in samples}
    # Rows end as their template says; what transformers makes of the text is what they begin with.
    tokens = all(any(row[:len(theirs)] == theirs for row in own) for theirs in ids)
    yield Row(f"{what}: token ids of {len(TEXTS)} texts, the longest of {longest}", "equal" if tokens else "other", "equal", tokens)
    gap = largest_difference(model, samples)
    yield Row(f"{what}: log-probs, top-{TOP_K} and target", f"{gap:.1e}", f"{tolerance:g}", gap <= tolerance)
    same = 0
    for prompt, written in zip(PROMPTS, greedy(path, PROMPTS, NEW)):
        inputs = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            output = model.generate(**inputs, do_sample=False, max_new_tokens=NEW)[0]
        same += output[inputs["input_ids"].shape[1]:].tolist() == written
    yield Row(f"{what}: greedy text of {len(PROMPTS)} prompts, {NEW} tokens", f"{same} equal", "all", same == len(PROMPTS))


def directory():
    if path := here("gemma3-270m"):
        yield from compared("Gemma 3 270M", path, False, 1e-3)


def gguf():
    if path := here("gemma3-270m.gguf"):
        yield from compared("Gemma 3 270M as GGUF", path, True, 5e-3)


def likelihood():
    path, stories = here("gemma3-270m.gguf"), SHARED / "data/text/tinystories/lowercase.txt"
    if not path:
        return
    if not stories.exists():
        print(f"parity: nll is left out, as {stories} is not there", file=sys.stderr)
        return
    model, tokenizer = reference(gguf=True)
    rows, tokens = [], 0
    for story in stories.read_text().split("\n\n"):
        if tokens >= 20_000:
            break
        if story.strip():
            rows.append({"text": story.strip()})
            tokens += len(tokenizer(story.strip())["input_ids"])
    with tempfile.TemporaryDirectory() as folder:
        write_rows(f"{folder}/rows.jsonl", rows)
        own = json.loads(decant("evaluate", "--model", path, "--data", f"{folder}/rows.jsonl", "--json"))
    total, count = 0.0, 0
    for sample in signals(path, rows, 1):
        reference_rows = log_probs(model, sample["token_ids"])
        for position in sample["positions"]:
            total -= reference_rows[position["position"], sample["token_ids"][position["position"] + 1]].item()
            count += 1
    apart = abs(own["nll"] / (total / count) - 1)
    yield Row(
        f"Gemma 3 270M as GGUF: nll of {count:,} tokens of stories", f"{own['nll']:.5f} and {total / count:.5f}", "0.2 %",
        apart <= 2e-3 and own["tokens"] == count)


def speed():
    path = here("gemma3-270m")
    if not path:
        return
    for precision, dtype, target in (("fp32", torch.float32, 1.2), ("bf16", torch.bfloat16, None)):
        model, _ = reference(dtype=dtype)
        batch = torch.randint(0, model.config.vocab_size, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))

        def forward():
            with torch.no_grad():
                return torch.log_softmax(model(batch).logits.float(), -1).topk(TOP_K)

        own, theirs = [], []
        forward()
        for _ in range(ROUNDS):
            started = time.perf_counter()
            forward()
            theirs.append(BATCH * LENGTH / (time.perf_counter() - started))
            measured = bench("--repeat", 1, "--precision", precision, "--model", path, "model-score")
            own.append(measured["scoring with a real model, top-64, cache write"])
        ratio = statistics.median(a / b for a, b in zip(own, theirs))
        yield Row(
            f"Gemma 3 270M: scoring, top-{TOP_K}, cache write, {precision}, {THREADS} threads",
            f"{statistics.median(own):.0f} and {statistics.median(theirs):.0f} tokens/s: {ratio:.2f} x",
            f"{target} x" if target else "", ratio >= target if target else None)
        del model


def load():
    path = here("gemma3-270m")
    if not path:
        return
    rounds = [bench("--precision", "bf16", "--model", path, "model-load") for _ in range(ROUNDS + 1)][1:]
    ready = statistics.median(r["loading a real model"] for r in rounds)
    first = statistics.median(r["a first row of 64 tokens"] for r in rounds)
    memory = max(r[MOST_MEMORY] for r in rounds)
    weights = (path / "model.safetensors").stat().st_size / 1048576
    yield Row("Gemma 3 270M in bf16: ready", f"{ready:.2f} s", "1.5 s", ready <= 1.5)
    yield Row("a row of 64 tokens scored, loading included", f"{ready + first:.2f} s", "3 s", ready + first <= 3)
    yield Row("most anonymous memory", f"{memory:.0f} MiB", f"{weights + 1024:.0f} MiB", memory <= weights + 1024)
