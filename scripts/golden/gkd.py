#!/usr/bin/env python3
"""Writes Tests/DivergencesTests/Golden/gkd.json: loss and gradient of TRL's generalised Jensen-Shannon, the loss of its
GKDTrainer, in float64. Logits are not stored: they follow from a seed by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/gkd.py   (needs torch, numpy, and trl with datasets and accelerate)
"""
import json
import os

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import numpy as np
import torch
import trl
from trl.experimental.gkd import GKDTrainer

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/DivergencesTests/Golden/gkd.json"
ROWS, VOCABULARY = 6, 97
MASKED = [0, 4]


def logits(seed):
    numbers = ((uniform(seed, ROWS * VOCABULARY) - 0.5) * 12).astype(np.float32).astype(np.float64)
    return torch.tensor(numbers.reshape(1, ROWS, VOCABULARY))


def main():
    cases = []
    for seed, (beta, temperature) in enumerate(
        [(b, t) for t in [1.0, 2.0, 0.7] for b in [0.0, 1e-3, 0.1, 0.5, 0.9, 0.999, 1.0]], start=1
    ):
        # What both are given is the number in fp32.
        teacher, student = logits(100 * seed), logits(100 * seed + 1).requires_grad_()
        labels = torch.ones(1, ROWS, dtype=torch.long)
        labels[0, MASKED] = -100
        loss = GKDTrainer.generalized_jsd_loss(student, teacher, labels=labels, beta=float(np.float32(beta)), temperature=temperature)
        loss.backward()
        gradient = student.grad[0]
        shown = [gradient[row, column].item() for row in range(ROWS) for column in (0, 1, VOCABULARY - 1)]
        numbers = [loss.item(), gradient.norm().item()] + shown
        cases.append({"seed": 100 * seed, "beta": beta, "temperature": temperature,
                      "numbers": [float(f"{number:.9g}") for number in numbers]})
    head = {"trl": trl.__version__, "rows": ROWS, "vocabulary": VOCABULARY, "masked": MASKED,
            "numbers": "loss, norm of the gradient, its columns 0, 1 and last of each row"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in cases))
        file.write("\n]}\n")


main()
