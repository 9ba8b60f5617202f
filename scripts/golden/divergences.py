#!/usr/bin/env python3
"""Writes Tests/DivergencesTests/Golden/divergences.json: values and gradients of every divergence against sparse and
full teachers, by PyTorch autograd in float64. Logits are not stored: they follow from a seed by SplitMix64 (splitmix.py).

Run from the root of the package:  python scripts/golden/divergences.py   (needs torch and numpy)
"""
import json
import math

import numpy as np
import torch

from splitmix import uniform

torch.set_num_threads(1)
PATH = "Tests/DivergencesTests/Golden/divergences.json"


def bell(seed, count):
    """Sums of four uniform numbers, centred; standard deviation 0.58."""
    u = uniform(seed, 4 * count).reshape(count, 4)
    return u[:, 0] + u[:, 1] + u[:, 2] + u[:, 3] - 2.0


def logits(shape, seed, count):
    """Teacher's and student's logits, rounded to float32."""
    a, b = bell(seed, count), bell(seed + 1, count)
    if shape == "normal":
        t, z = a * 5.0, b * 5.0
    elif shape == "flat":
        t, z = a * 0.1, b * 0.1
    elif shape == "peaked":
        t, z = a * a * a * 6.0, b * b * b * 6.0
    elif shape == "adversarial":  # the student puts its mass where the teacher has none
        t, z = a * 8.0, a * -8.0
    else:  # far: 200 nats between the even and the odd ids, the other way round for the student
        even = (np.arange(count) % 2 == 0).astype(np.float64)
        t, z = even * 200.0 + a, (1.0 - even) * 200.0 + b
    return t.astype(np.float32).astype(np.float64), z.astype(np.float32).astype(np.float64)


def divergence(name, parameters, lp, lq, has_tail):
    p, q = lp.exp(), lq.exp()
    parameter = next(iter(parameters.values()), None)

    def mix(a, x, b, y):
        return torch.logaddexp(x + math.log(a), y + math.log(b))

    if name == "fkl":
        return (p * (lp - lq)).sum()
    if name == "rkl":
        return (q * (lq - lp)).sum()
    if name == "tvd":
        return 0.5 * (p - q).abs().sum()
    if name == "ab":
        a, b = parameters["alpha"], parameters["beta"]
        if a == 0:  # the limits as they are in the paper
            return ((q**b * (b * lq - b * lp) - q**b + p**b) / b**2).sum()
        if b == 0:
            return ((p**a * (a * lp - a * lq) - p**a + q**a) / a**2).sum()
        powers = p**a * q**b - a / (a + b) * p ** (a + b) - b / (a + b) * q ** (a + b)
        return -powers.sum() / (a * b)
    if name == "todi":
        w = torch.sigmoid(lp - lq).detach()
        return (w * p * (lp - lq) + (1 - w) * q * (lq - lp)).sum()
    if name == "akl":
        ids = slice(0, len(p) - has_tail)
        gap = (p - q).abs().detach()
        order = torch.sort(p[ids], descending=True, stable=True).indices
        outside = torch.cumsum(p[ids][order], 0) > parameter
        outside[0] = False
        head = gap[ids][order][~outside].sum()
        share = head / gap.sum()
        return (share * p * (lp - lq) + (1 - share) * q * (lq - lp)).sum()
    if name == "amid":
        r, weight = (1 - parameters["alpha"]) / 2, parameters["lambda"]
        m = weight * lp + (1 - weight) * lq if r == 0 else mix(weight, r * lp, 1 - weight, r * lq) / r
        return (p * (lp - (m - torch.logsumexp(m, -1)))).sum()
    m = mix(parameter, lp, 1 - parameter, lq)
    if name == "skl":
        return (p * (lp - m)).sum()
    if name == "jsd":
        return parameter * (p * (lp - m)).sum() + (1 - parameter) * (q * (lq - m)).sum()
    m = mix(parameter, lq, 1 - parameter, lp)
    return (q * (lq - m)).sum()


OBJECTIVES = [("fkl", {}), ("rkl", {}), ("tvd", {})]
OBJECTIVES += [(name, {"alpha": alpha}) for name in ["skl", "srkl"] for alpha in [0.1, 0.5]]
OBJECTIVES += [("jsd", {"beta": beta}) for beta in [0.1, 0.5, 0.9]]
OBJECTIVES += [("ab", {"alpha": a, "beta": b}) for a, b in [(0.2, 0.7), (0.5, 0.5), (1, 1), (0.5, 0), (0, 0.5)]]
OBJECTIVES += [("akl", {"mu": mu}) for mu in [0.1, 0.5, 0.9]] + [("todi", {})]
OBJECTIVES += [("amid", {"alpha": a, "lambda": w}) for a, w in [(-1, 0.1), (0, 0.1), (1, 0.1), (-3, 0.5)]]
SIZES = [(5, 1), (5, 4), (5, 5), (97, 1), (97, 4), (97, 64), (97, 97), (2000, 1), (2000, 4), (2000, 64), (2000, 2000)]


def main():
    groups, seed = [], 0
    for shape in ["normal", "flat", "peaked", "adversarial", "far"]:
        for count, k in SIZES:
            seed += 10
            t, z = logits(shape, seed, count)
            order = np.argsort(-t, kind="stable")  # of equal logits the lower id first
            ids = torch.tensor(order[:k].copy())
            full = torch.log_softmax(torch.tensor(t), -1)
            outside = torch.ones(count, dtype=torch.bool)
            outside[ids] = False
            lp = full[ids]
            if k < count:
                lp = torch.cat([lp, torch.logsumexp(full[outside], -1)[None]])
            lp = lp.float().double()
            r = torch.tensor(uniform(seed + 2, count) - 0.5)
            shown = [0, 1, 2, 3, count - 1]
            cases = []
            for name, parameters in OBJECTIVES:
                student = torch.tensor(z, requires_grad=True)
                lse = torch.logsumexp(student, -1)
                lq = student[ids] - lse
                if k < count:
                    lq = torch.cat([lq, (torch.logsumexp(student[outside], -1) - lse)[None]])
                value = divergence(name, parameters, lp, lq, k < count)
                value.backward()
                g = student.grad
                numbers = [value.item(), g.norm().item(), (g @ r).item()] + [g[i].item() for i in shown]
                cases.append([name, parameters] + [float(f"{x:.9g}") for x in numbers])
            groups.append({"shape": shape, "vocabulary": count, "k": k, "seed": seed, "cases": cases})
    note = "objective, parameters, value, norm of the gradient, its product with r, its entries 0 1 2 3 and last"
    with open(PATH, "w") as file:
        file.write('{"case":' + json.dumps(note) + ',"groups":[\n')
        file.write(",\n".join(json.dumps(g, separators=(",", ":")) for g in groups))
        file.write("\n]}\n")


main()
