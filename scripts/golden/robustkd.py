#!/usr/bin/env python3
"""Writes Tests/MethodsTests/Golden/robustkd.json: RobustKD's loss for a student (arXiv 2406.03409), cross-entropy and the distance of its
features, through a linear map for each of two layers, from a teacher's that a mask drew toward their means, by PyTorch autograd in
float64. The student is an embedding, whose rows are its features, and a head. Inputs are not stored: they follow from a seed by
SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/robustkd.py   (needs torch and numpy)
"""
import json

import numpy as np
import torch

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/MethodsTests/Golden/robustkd.json"
VOCABULARY, TEACHER, STUDENT, ROWS, LAYERS = 29, 12, 8, 9, 2


def numbers(seed, shape, scale):
    flat = ((uniform(seed, int(np.prod(shape))) - 0.5) * scale).astype(np.float32).astype(np.float64)
    return torch.tensor(flat.reshape(shape))


def case(seed, feature_weight, ce_weight):
    tokens = torch.tensor((uniform(seed, ROWS + 1) * VOCABULARY).astype(np.int64))
    embedding = numbers(seed + 1, (VOCABULARY, STUDENT), 4).requires_grad_()
    head = numbers(seed + 2, (VOCABULARY, STUDENT), 2).requires_grad_()
    weights = [numbers(seed + 3 + layer, (TEACHER, STUDENT), 1).requires_grad_() for layer in range(LAYERS)]
    biases = [numbers(seed + 5 + layer, (TEACHER,), 1).requires_grad_() for layer in range(LAYERS)]
    own = embedding[tokens[:-1]]
    ce = torch.nn.functional.cross_entropy(own @ head.T, tokens[1:], reduction="sum")
    distance = 0
    for layer in range(LAYERS):
        features, mean = numbers(seed + 7 + layer, (ROWS, TEACHER), 4), numbers(seed + 9 + layer, (TEACHER,), 2)
        mask = numbers(seed + 11 + layer, (TEACHER,), 1) + 0.5
        # What a cache holds is in fp32.
        cleaned = ((1 - mask) * features + mask * mean).to(torch.float32).to(torch.float64)
        image = own @ weights[layer].T + biases[layer]
        distance = distance + 2.0 ** -(LAYERS - 1 - layer) * ((image - cleaned) ** 2).mean(1).sum()
    ((ce_weight * ce + feature_weight * distance) / ROWS).backward()
    found = [ce.item(), feature_weight * distance.item()]
    for parameter in (embedding, head, *weights, *biases):
        flat = parameter.grad.reshape(-1)
        places = [0, len(flat) // 2, len(flat) - 1]
        if parameter is embedding:
            places = [int(tokens[row]) * STUDENT + row % STUDENT for row in (0, 4, 7)]
        found += [flat.norm().item()] + [flat[place].item() for place in places]
    return {"seed": seed, "feature_weight": feature_weight, "cross_entropy_weight": ce_weight,
            "numbers": [float(f"{number:.9g}") for number in found]}


def main():
    cases = [case(4000 + 20 * number, *weights) for number, weights in enumerate([(1, 1), (0.25, 1), (3, 0.5), (1, 0)])]
    head = {"vocabulary": VOCABULARY, "teacher": TEACHER, "student": STUDENT, "rows": ROWS, "layers": LAYERS,
            "numbers": "sums of the cross-entropy and of the weighted distances; then of the embedding, the head, the weights and the biases "
                       "of the maps the norm of the gradient and its first, middle and last element (of the embedding one of the rows 0, 4, 7 each)"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(entry) for entry in cases))
        file.write("\n]}\n")


main()
