#!/usr/bin/env python3
"""Golden file of SafeTensorsTests: a small file of every common type as the reference implementation writes it, and the
values it holds. Needs torch and safetensors; run from the root of the checkout. The output is deterministic."""

import json
import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path("Tests/SafeTensorsTests/Golden")
folder.mkdir(parents=True, exist_ok=True)
awkward = [0.0, -0.0, 1.0, -2.5, 0.1, 65504.0, 6.1e-5, 5.96e-8, float("inf"), float("-inf")]
tensors = {
    "z.half": torch.tensor(awkward, dtype=torch.float16).reshape(2, 5),
    "a.brain": torch.tensor(awkward, dtype=torch.bfloat16),
    "single": torch.tensor(awkward, dtype=torch.float32).reshape(5, 1, 2),
    "double": torch.tensor(awkward, dtype=torch.float64),
    "scalar": torch.tensor(3.25),
    "empty": torch.zeros(0, 4),
    "ids": torch.tensor([1, -2, 3], dtype=torch.int64),
    "mask": torch.tensor([True, False, True]),
}
save_file(tensors, folder / "mixed.safetensors", metadata={"format": "pt"})
floats = {name: t for name, t in tensors.items() if t.is_floating_point()}
values = {
    name: {"shape": list(t.shape), "bits": [b & 0xFFFFFFFF for b in t.float().flatten().view(torch.int32).tolist()]}
    for name, t in floats.items()
}
(folder / "mixed.json").write_text(json.dumps(values, indent=1) + "\n")
