"""Every family's tiny models, loaded anew by transformers and by Decant."""
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM

from common import ROOT, Row, greedy, largest_difference, signals

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTHS, PROMPT, NEW = (3, 9, 17, 23), 7, 9
TOLERANCE = 1e-4


def golden():
    folder = ROOT / "Tests/ModelsTests/Golden"
    return sorted(path.parent for path in folder.glob("*/config.json") if '"bert"' not in path.read_text())


def with_letters(case, folder):
    """A copy of a model with a letter for each token."""
    for file in case.iterdir():
        if file.name.startswith(("model", "config")):
            shutil.copy(file, folder)
    size = AutoModelForCausalLM.from_pretrained(folder).config.vocab_size
    Tokenizer(models.BPE({LETTERS[i]: i for i in range(size)}, [])).save(f"{folder}/tokenizer.json")
    return folder


def families():
    for case in golden():
        with tempfile.TemporaryDirectory() as folder:
            with_letters(case, folder)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, attn_implementation="eager").eval()
            letters, stream = LETTERS[:model.config.vocab_size], random.Random(case.name)
            texts = ["".join(stream.choice(letters) for _ in range(length)) for length in LENGTHS]
            samples = signals(folder, [{"text": text} for text in texts], model.config.vocab_size)
            gap = largest_difference(model, samples)
            ids = [letters.index(letter) for letter in texts[2][:PROMPT]]
            model.generation_config.eos_token_id = model.config.eos_token_id
            with torch.no_grad():
                written = model.generate(
                    torch.tensor([ids]), do_sample=False, max_new_tokens=NEW,
                    attention_mask=torch.ones(1, PROMPT, dtype=torch.long))[0, PROMPT:].tolist()
            same = greedy(folder, [texts[2][:PROMPT]], NEW)[0] == written
            yield Row(
                f"{case.name}: log-probs, greedy tokens", f"{gap:.1e}, {'equal' if same else 'other'}",
                f"{TOLERANCE:g}, equal", gap <= TOLERANCE and same)


def gradients():
    done = subprocess.run(
        ["swift", "test", "-c", "release", "--disable-xctest", "--filter",
         "ModelsTests/(ParityTests|OptimizerParityTests|LayerSharingTests)"],
        capture_output=True, text=True, cwd=ROOT)
    cases = len(golden())
    yield Row(
        f"gradients within 1e-3 of a parameter's largest, ten steps of AdamW: {cases} models",
        "tests passed" if done.returncode == 0 else done.stdout[-2000:], "all", done.returncode == 0)
