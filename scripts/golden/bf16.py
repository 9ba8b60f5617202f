#!/usr/bin/env python3
"""Golden files of bf16 products: what PyTorch computes with the tiny models of models.py under bf16 autocast.

    python scripts/golden/bf16.py        (torch, transformers, safetensors)

For each case below, whose folder of Tests/ModelsTests/Golden models.py made before (it is read, never written):

    Tests/ModelsTests/Golden/bf16/CASE.safetensors
        logits.bf16, logits.fp32   [rows, vocabulary] of the case's sequences one after the other, with and without
                                   torch.autocast("cpu", dtype=torch.bfloat16)
        gradient.NAME              of the mean next-token cross-entropy under autocast, for every parameter

Autocast rounds the operands of matrix products, in attention too, and their results to bf16; softmax, norms and
the loss are computed in fp32, and the weights and their gradients are fp32.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from models import OUT, loss_of

CASES = ["gpt2-tied", "gpt2-untied-relu", "llama-tied", "llama-untied-bf16", "llama-llama3-biases-shards"]


def make(name):
    model = AutoModelForCausalLM.from_pretrained(OUT / name, dtype=torch.float32, attn_implementation="eager").eval()
    sequences = json.loads((OUT / name / "expected.json").read_text())["sequences"]
    with torch.no_grad():
        plain, plain_loss = loss_of(model, sequences)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, loss = loss_of(model, sequences)
    assert logits.dtype == torch.bfloat16 and loss.dtype == torch.float32, "autocast did not take"
    loss.backward()
    tensors = {"logits.fp32": plain, "logits.bf16": logits.detach().float()}
    tensors |= {f"gradient.{k}": p.grad.float().contiguous() for k, p in model.named_parameters()}
    file = OUT / "bf16" / f"{name}.safetensors"
    save_file(tensors, file)
    file.chmod(0o644)
    distance = (logits.float() - plain).abs()
    print(f"{name}: loss {plain_loss.item():.5f}, {loss.item():.5f} in bf16; logits up to {plain.abs().max():.3f}, "
          f"apart by {distance.max():.5f}, {distance.mean():.6f} in the mean")


if __name__ == "__main__":
    torch.set_num_threads(1)
    (OUT / "bf16").mkdir(exist_ok=True)
    for name in CASES:
        make(name)
