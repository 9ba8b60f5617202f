#!/usr/bin/env python3
"""Writes Tests/MethodsTests/Golden/disco.json: the losses of vectors of texts, contrastive distillation and its baseline (DistilCSE,
arXiv 2112.05638, `disco` and `mse`) and contrastive fine-tuning on pairs and triplets (supervised SimCSE, arXiv 2104.08821), with
autograd in float64. Hidden states, the teacher's vectors and W are not stored: they follow from seeds by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/disco.py   (needs torch and numpy)
"""
import json

import numpy as np
import torch
from torch.nn.functional import cross_entropy, mse_loss, normalize

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/MethodsTests/Golden/disco.json"
LENGTHS = [3, 1, 5, 2, 4]
WIDTH, TEACHER = 6, 7


def matrix(seed, rows, columns):
    return torch.tensor(((uniform(seed, rows * columns) - 0.5) * 4).astype(np.float32).astype(np.float64)).reshape(rows, columns)


def pooled(states, pooling):
    """One vector a text of states [tokens, width] laid end to end."""
    parts = states.split(LENGTHS)
    return torch.stack([{"mean": part.mean(0), "cls": part[0], "last": part[-1]}[pooling] for part in parts])


def numbers(loss, *variables):
    """The loss, and of each gradient its norm, its first three numbers and its last."""
    gradients = torch.autograd.grad(loss, variables)
    found = [loss.item()]
    for gradient in gradients:
        flat = gradient.flatten()
        found += [flat.norm().item()] + flat[:3].tolist() + [flat[-1].item()]
    return [float(f"{number:.9g}") for number in found]


def distillation(seed, loss, pooling, bank, projects, log_scale):
    teacher_width = TEACHER if projects else WIDTH
    states = matrix(seed, sum(LENGTHS), WIDTH).requires_grad_()
    teacher = matrix(seed + 1, len(LENGTHS) + bank, teacher_width)
    weight = matrix(seed + 2, teacher_width, WIDTH).requires_grad_()
    scale = torch.tensor(log_scale, dtype=torch.float64, requires_grad=True)
    student = pooled(states, pooling)
    if projects:
        student = student @ weight.T
    variables = [states] + ([weight] if projects else [])
    if loss == "mse":
        value = mse_loss(student, teacher[: len(LENGTHS)])
    else:
        similarities = normalize(student, dim=1) @ normalize(teacher, dim=1).T
        value = cross_entropy(scale.exp() * similarities, torch.arange(len(LENGTHS)))
        variables.append(scale)
    return {"seed": seed, "loss": loss, "pooling": pooling, "bank": bank, "projection": projects, "log_scale": log_scale,
            "numbers": numbers(value, *variables)}


def pairs(seed, texts, pooling, temperature):
    """`texts` texts a row: anchors, positives and, where there are three, hard negatives."""
    states = [matrix(seed + place, sum(LENGTHS), WIDTH).requires_grad_() for place in range(texts)]
    anchors, *candidates = [normalize(pooled(state, pooling), dim=1) for state in states]
    similarities = anchors @ torch.cat(candidates).T
    value = cross_entropy(similarities / temperature, torch.arange(len(LENGTHS)))
    return {"seed": seed, "texts": texts, "pooling": pooling, "temperature": temperature,
            "numbers": numbers(value, *states)}


def main():
    distilled = [
        distillation(100, "disco", "mean", 9, True, 1.0),
        distillation(200, "disco", "cls", 0, True, 2.0),
        distillation(300, "disco", "last", 4, False, 0.5),
        distillation(400, "disco", "mean", 40, False, 3.0),
        distillation(500, "mse", "mean", 0, True, 0.0),
        distillation(600, "mse", "last", 0, False, 0.0),
    ]
    contrasted = [pairs(700, 2, "mean", 0.05), pairs(800, 3, "cls", 0.05), pairs(900, 3, "last", 0.5)]
    head = {"torch": torch.__version__.split("+")[0], "lengths": LENGTHS, "width": WIDTH, "teacher_width": TEACHER,
            "numbers": "the loss; then of the gradients of the states (of each text's in turn), of W and of log tau, where they "
                       "are there, the norm, the first three numbers and the last"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1])
        for name, cases in (("distillation", distilled), ("pairs", contrasted)):
            file.write(f', "{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]")
        file.write("}\n")


if __name__ == "__main__":
    main()
