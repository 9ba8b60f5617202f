#!/usr/bin/env python3
"""Writes Tests/DivergencesTests/Golden/atkd.json: the two parts of forward KL that ATKD weighs (arXiv 2402.11890), written as the
paper has them, with autograd in float64. Logits are not stored: they follow from a seed by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/atkd.py   (needs torch and numpy)
"""
import json

import numpy as np
import torch

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/DivergencesTests/Golden/atkd.json"
VOCABULARY, K = 37, 9


def logits(seed):
    return torch.tensor(((uniform(seed, VOCABULARY) - 0.5) * 12).astype(np.float32).astype(np.float64))


def parts(p, q, token):
    """TKD and DKD of distributions over the same outcomes, of which one is the token that follows."""
    binary = lambda d: torch.stack([d[token], 1 - d[token]])
    others = [index for index in range(len(p)) if index != token]
    rest = lambda d: d[others] / d[others].sum()
    kl = lambda a, b: (a * (a.log() - b.log())).sum()
    return kl(binary(p), binary(q)), kl(rest(p), rest(q))


def main():
    cases = []
    for seed in range(1, 13):
        teacher, student = logits(50 * seed), logits(50 * seed + 1).requires_grad_()
        p = teacher.softmax(0)
        order = p.argsort(descending=True)
        # The most probable token, one within the top-k, one of the tail, and the least probable.
        token = int(order[[0, 3, K + 2, VOCABULARY - 1][seed % 4]])
        kept = None
        q = student.softmax(0)
        if seed > 6:
            kept = order[:K].tolist() + ([] if token in order[:K].tolist() else [token])
            cut = lambda d: torch.cat([d[kept], 1 - d[kept].sum().reshape(1)])
            p, q = cut(p), cut(q)
        target, others = parts(p, q, kept.index(token) if kept else token)
        numbers = [target.item(), others.item()]
        for part in (target, others):
            (gradient,) = torch.autograd.grad(part, student, retain_graph=True)
            numbers += [gradient.norm().item()] + [gradient[column].item() for column in (0, 1, token, VOCABULARY - 1)]
        cases.append({"seed": 50 * seed, "token": token, "top_k": K if kept else VOCABULARY,
                      "numbers": [float(f"{number:.9g}") for number in numbers]})
    head = {"torch": torch.__version__.split("+")[0], "vocabulary": VOCABULARY,
            "numbers": "TKD, DKD, and of each the norm of the gradient and its columns 0, 1, token and last"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in cases))
        file.write("\n]}\n")


main()
