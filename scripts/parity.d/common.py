"""What the parts of scripts/parity share: rows of the table, Decant's program, the threads of both sides."""
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
DECANT = os.environ.get("DECANT", str(ROOT / ".build/release/decant"))
BENCH = os.environ.get("DECANT_BENCH", str(ROOT / ".build/release/bench"))
SHARED = Path(os.environ.get("DECANT_SHARED", ROOT.parent / "shared"))
GEMMA = os.environ.get("DECANT_GEMMA")
THREADS = int(os.environ.get("THREADS", "2"))
torch.set_num_threads(THREADS)


@dataclass
class Row:
    what: str
    figure: str
    target: str = ""
    met: bool | None = None

    @property
    def missed(self):
        return self.met is False

    def __str__(self):
        return f"| {self.what} | {self.figure} | {self.target} | {'' if self.met is None else 'met' if self.met else 'MISSED'} |"


def environment():
    return {**os.environ, "DECANT_THREADS": str(THREADS)}


def decant(*words):
    """Standard output of the program; its errors end the run with their message."""
    done = subprocess.run([DECANT, *map(str, words)], capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        sys.exit(f"decant {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


MOST_MEMORY = "most anonymous memory"


def bench(*words):
    """Values of the benchmarks by their names, and the most anonymous memory of the process, in MiB."""
    process = subprocess.Popen(
        [BENCH, "--json", "--threads", str(THREADS), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    most = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)
        except (FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(0.005)
    output, errors = process.communicate()
    if process.returncode != 0:
        sys.exit(f"bench {' '.join(map(str, words))} ended with {process.returncode}:\n{errors}")
    return {line["bench"]: line["value"] for line in map(json.loads, output.splitlines())} | {MOST_MEMORY: most / 1024}


def write_rows(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def signals(model, rows, top_k, *options):
    """What Decant's cache holds of each row, as `cache export` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(f"{folder}/rows.jsonl", rows)
        decant("precompute", "--teacher", model, "--data", f"{folder}/rows.jsonl", "--cache", f"{folder}/cache",
               "--top-k", top_k, "--codec", "exact", *options)
        return [json.loads(line) for line in decant("cache", "export", f"{folder}/cache").splitlines()]


def greedy(model, prompts, tokens):
    """Token ids of what Decant writes after each prompt."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(f"{folder}/rows.jsonl", [{"prompt": prompt} for prompt in prompts])
        decant("generate", "--model", model, "--data", f"{folder}/rows.jsonl", "--output", f"{folder}/out.jsonl",
               "--temperature", 0, "--max-new-tokens", tokens)
        return [json.loads(line)["token_ids"] for line in open(f"{folder}/out.jsonl")]


def log_probs(model, token_ids):
    """Of PyTorch, [positions, vocabulary]. The last token is only predicted, and not read."""
    with torch.no_grad():
        if (getattr(model.config, "rope_parameters", None) or {}).get("rope_type") == "dynamic":
            # transformers rotates by the longest text since a short one: what a text gives is what it gives alone.
            model(torch.tensor([token_ids[:1]]))
        return torch.log_softmax(model(torch.tensor([token_ids[:-1]])).logits[0].float(), -1)


def largest_difference(model, samples):
    """Between the signals of Decant and PyTorch's log-probs, kept ids and targets alike."""
    worst = 0.0
    for sample in samples:
        reference = log_probs(model, sample["token_ids"])
        for position in sample["positions"]:
            row = reference[position["position"]]
            kept = (row[torch.tensor(position["ids"])] - torch.tensor(position["logprobs"])).abs().max().item()
            target = row[sample["token_ids"][position["position"] + 1]].item()
            worst = max(worst, kept, abs(target - position["target_logprob"]))
    return worst

