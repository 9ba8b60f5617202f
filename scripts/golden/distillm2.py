#!/usr/bin/env python3
"""Writes Tests/MethodsTests/Golden/distillm2.json: DistiLLM-2's loss (arXiv 2503.07067, equation 2) with a skew for each text, by
PyTorch autograd in float64. Logits are not stored: they follow from a seed by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/distillm2.py   (needs torch and numpy)
"""
import json

import numpy as np
import torch

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/MethodsTests/Golden/distillm2.json"
VOCABULARY, LENGTHS = 61, [4, 7, 2, 5]


def logits(seed, rows):
    numbers = ((uniform(seed, rows * VOCABULARY) - 0.5) * 8).astype(np.float32).astype(np.float64)
    return torch.tensor(numbers.reshape(rows, VOCABULARY))


def skewed(weight, left, right):
    return torch.logaddexp(left + np.log(weight), right + np.log1p(-weight))


def case(seed, alpha0, least, mean, beta):
    """Texts 0 and 1 are the teacher's, 2 and 3 the student's."""
    rows = sum(LENGTHS)
    teacher, student = logits(seed, rows), logits(seed + 1, rows).requires_grad_()
    targets = torch.tensor((uniform(seed + 2, rows) * VOCABULARY).astype(np.int64))
    lp, lq = torch.log_softmax(teacher, -1), torch.log_softmax(student, -1)
    losses, alphas, start = [], [], 0
    for text, length in enumerate(LENGTHS):
        at = slice(start, start + length)
        start += length
        own = lambda logs: logs[at].gather(1, targets[at, None]).mean().exp().item()
        is_students = text >= 2
        gap = own(lq) - own(lp) if is_students else own(lp) - own(lq)
        alpha = min(max(1 - (1 - alpha0) * mean / gap, least), alpha0)
        alpha = float(np.float32(alpha))
        alphas.append(alpha)
        if is_students:
            m = skewed(alpha, lq[at], lp[at])
            losses.append(beta * (lq[at].exp() * (lq[at] - m)).sum())
        else:
            m = skewed(alpha, lp[at], lq[at])
            losses.append((1 - beta) * (lp[at].exp() * (lp[at] - m)).sum())
    loss = sum(losses) / rows
    loss.backward()
    shown = [student.grad[row, column].item() for row in range(rows) for column in (0, VOCABULARY - 1)]
    numbers = [loss.item(), student.grad.norm().item()] + shown
    return {"seed": seed, "alpha": alpha0, "least": least, "mean": mean, "beta": beta, "alphas": alphas,
            "numbers": [float(f"{number:.9g}") for number in numbers]}


def main():
    settings = [(0.1, 0.01, 0.002, 0.5), (0.9, 1e-4, 0.004, 0.8), (0.9, 1e-4, 0.01, 0.6), (0.6, 1e-4, -0.003, 1.0), (0.8, 1e-4, 0.006, 0.0)]
    cases = [case(1000 + 10 * number, *setting) for number, setting in enumerate(settings)]
    head = {"vocabulary": VOCABULARY, "lengths": LENGTHS, "numbers": "loss, norm of the gradient, its columns 0 and last of each row"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(entry) for entry in cases))
        file.write("\n]}\n")


main()
