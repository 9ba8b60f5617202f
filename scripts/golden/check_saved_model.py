#!/usr/bin/env python3
"""Checks that transformers loads what Decant saves, warns of nothing, and computes the same logits.

    DECANT_SAVED_MODELS=/tmp/saved swift test -c release --filter ModelsTests
    python scripts/golden/check_saved_model.py /tmp/saved/*

Each folder holds a saved model and decant_logits.json: {"sequences": [[id, ...], ...], "logits": [...]}, the logits of
all rows one after the other. Exit status 1 where a difference exceeds 1e-4 or a weight is missing or left over.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

TOLERANCE = 1e-4


def check(folder):
    export = json.loads((folder / "decant_logits.json").read_text())
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    trouble = {kind: names for kind, names in info.items() if names}
    with torch.no_grad():
        logits = torch.cat([model(torch.tensor([s])).logits[0] for s in export["sequences"]]).flatten()
    gap = (logits - torch.tensor(export["logits"])).abs().max().item()
    good = gap <= TOLERANCE and not trouble and model.dtype == torch.float32
    print(f"{'ok' if good else 'WRONG'}: {folder.name}: largest difference {gap:.2e}, {model.dtype} {trouble or ''}")
    return good


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(0 if all([check(Path(folder)) for folder in sys.argv[1:]]) else 1)
