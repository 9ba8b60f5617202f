#!/usr/bin/env python3
"""Writes Tests/OptimizersTests/Golden/adamw.json: ten steps of torch.optim.AdamW on made-up gradients.

Two parameters, the first decayed, the second not; gradients are written too, so that the test needs no generator.
"""
import json
import pathlib

import torch

torch.manual_seed(20240501)
runs = []
for betas, eps, decay in [((0.9, 0.999), 1e-8, 0.0), ((0.9, 0.999), 1e-8, 0.1), ((0.9, 0.95), 1e-6, 0.01)]:
    parameters = [torch.nn.Parameter(torch.randn(3, 5)), torch.nn.Parameter(torch.randn(7))]
    initial = [p.detach().flatten().tolist() for p in parameters]
    optimizer = torch.optim.AdamW(
        [{"params": [parameters[0]], "weight_decay": decay}, {"params": [parameters[1]], "weight_decay": 0.0}],
        betas=betas, eps=eps)
    steps = []
    for step in range(10):
        rate = 0.01 * (step + 1) / 5
        for group in optimizer.param_groups:
            group["lr"] = rate
        for scale, p in zip([1.0, 1e-4], parameters):
            p.grad = torch.randn_like(p) * scale
        gradients = [p.grad.flatten().tolist() for p in parameters]
        norm = torch.nn.utils.clip_grad_norm_(parameters, 3.0).item()
        optimizer.step()
        steps.append({"rate": rate, "gradients": gradients, "norm": norm,
                      "values": [p.detach().flatten().tolist() for p in parameters]})
    runs.append({"beta1": betas[0], "beta2": betas[1], "epsilon": eps, "decay": decay, "maximum_norm": 3.0,
                 "initial": initial, "steps": steps})
path = pathlib.Path(__file__).parents[2] / "Tests/OptimizersTests/Golden/adamw.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(runs) + "\n")
