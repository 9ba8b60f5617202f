#!/usr/bin/env python3
"""Writes Tests/MethodsTests/Golden/okd.json: online distillation (OKD, arXiv 2409.12512) with a low-rank module on the teacher's last
hidden states, student and module at once, by PyTorch autograd in float64. The student is an embedding and a head. Inputs are not
stored: they follow from a seed by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/okd.py   (needs torch and numpy)
"""
import json

import numpy as np
import torch

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/MethodsTests/Golden/okd.json"
VOCABULARY, K, TEACHER, STUDENT, RANK, ROWS = 29, 6, 12, 8, 3, 9


def numbers(seed, shape, scale):
    flat = ((uniform(seed, int(np.prod(shape))) - 0.5) * scale).astype(np.float32).astype(np.float64)
    return torch.tensor(flat.reshape(shape))


def rounded(tensor):
    return torch.tensor(tensor.numpy().astype(np.float32).astype(np.float64))


def divergence(name, lp, lq):
    kl = lambda a, b: (a.exp() * (a - b)).sum()
    if name == "rkl":
        return kl(lq, lp)
    if name == "fkl":
        return kl(lp, lq)
    mixed = torch.logaddexp(lp + np.log(0.1), lq + np.log(0.9))
    return kl(lp, mixed)


def case(seed, name, beta, live):
    tokens = torch.tensor((uniform(seed, ROWS + 1) * VOCABULARY).astype(np.int64))
    hidden, table = numbers(seed + 1, (ROWS, TEACHER), 4), numbers(seed + 2, (VOCABULARY, TEACHER), 2)
    down = numbers(seed + 3, (RANK, TEACHER), 1).requires_grad_()
    up = numbers(seed + 4, (TEACHER, RANK), 1).requires_grad_()
    embedding = numbers(seed + 5, (VOCABULARY, STUDENT), 4).requires_grad_()
    head = numbers(seed + 6, (VOCABULARY, STUDENT), 2).requires_grad_()
    logits = hidden @ table.T
    change = (hidden @ down.T) @ up.T @ table.T
    student = torch.log_softmax(embedding[tokens[:-1]] @ head.T, -1)
    of_student = of_module = drift = pull = own = 0
    for row in range(ROWS):
        p, q, target = torch.log_softmax(logits[row], -1), student[row], int(tokens[row + 1])
        if live:
            base, changed, place = p, torch.log_softmax(logits[row] + change[row], -1), target
        else:
            kept = p.argsort(descending=True)[:K]
            rest = [index for index in range(VOCABULARY) if index not in kept.tolist()]
            # What a cache holds is in fp32.
            base = rounded(torch.cat([p[kept], p[rest].logsumexp(0, keepdim=True)]))
            changed = torch.log_softmax(base + torch.cat([change[row][kept], torch.zeros(1)]), -1)
            q = torch.cat([q[kept], q[rest].logsumexp(0, keepdim=True)])
            place = kept.tolist().index(target) if target in kept else None
        of_student = of_student + divergence(name, changed.detach(), q)
        if place is None:
            ce = -(rounded(p)[target] + changed[K] - base[K])
        else:
            ce = -changed[place]
        kl = (q.detach().exp() * (q.detach() - changed)).sum()
        own, pull = own + ce, pull + kl
        of_module = of_module + ce + beta * kl
        drift = drift + (base.exp() * (base - changed)).sum()
    ((of_student + of_module) / ROWS).backward()
    found = [of_student.item(), own.item(), pull.item(), drift.item()]
    for parameter in (embedding, head, down, up):
        flat = parameter.grad.reshape(-1)
        places = [0, len(flat) // 2, len(flat) - 1]
        if parameter is embedding:
            places = [int(tokens[row]) * STUDENT + row % STUDENT for row in (0, 4, 7)]
        found += [flat.norm().item()] + [flat[place].item() for place in places]
    return {"seed": seed, "divergence": name, "beta": beta, "live": live,
            "numbers": [float(f"{number:.9g}") for number in found]}


def main():
    settings = [("rkl", 1, False), ("fkl", 0.5, False), ("skl", 0, False), ("rkl", 1, True), ("fkl", 0.25, True), ("skl", 0, True)]
    cases = [case(3000 + 10 * number, *setting) for number, setting in enumerate(settings)]
    head = {"vocabulary": VOCABULARY, "top_k": K, "teacher": TEACHER, "student": STUDENT, "rank": RANK, "rows": ROWS,
            "numbers": "sums of the divergence, -log p_phi, KL(q || p_phi), KL(p_T || p_phi); then of the student's embedding and head, and of "
                       "A and B, the norm of the gradient and its first, middle and last element (of the embedding one of the rows 0, 4 and 7 each)"}
    with open(PATH, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(entry) for entry in cases))
        file.write("\n]}\n")


main()
