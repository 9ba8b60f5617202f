#!/usr/bin/env python3
"""Writes Tests/MethodsTests/Golden/embeddings.{json,safetensors}: losses over embeddings by PyTorch, in float64, of the tiny models in
Tests/ModelsTests/Golden as transformers runs them: forward KL on mixtures of embeddings (MixKD, arXiv 2011.00593), and the distance of
input gradients (KDIGA, arXiv 2110.12072) with its gradient by differentiating twice.

Run from the root of the package:  python scripts/golden/embeddings.py   (needs torch, transformers and safetensors)
"""
import json

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
MODELS = "Tests/ModelsTests/Golden"
PATH = "Tests/MethodsTests/Golden/embeddings"
STUDENT, TEACHER = "llama-tied", "qwen3-tied"
# Tokens, and the first position that is scored.
SEQUENCES = [([3, 1, 4, 1, 5, 9, 2, 6], 2), ([7, 18, 28, 18, 2], 1), ([31, 4, 15, 9, 26, 5], 0)]
MIXTURES = [(0, 1, 0.25), (1, 2, 0.8125), (2, 0, 0.5)]


def load(name):
    return AutoModelForCausalLM.from_pretrained(f"{MODELS}/{name}", dtype=torch.float64, attn_implementation="eager").eval()


def logits(model, embedded):
    return model(inputs_embeds=embedded[None]).logits[0]


def gradients(model):
    return {name: parameter.grad.detach().float().contiguous() for name, parameter in model.named_parameters()}


def mixkd(student, teacher):
    total, rows = 0, 0
    for first, second, share in MIXTURES:
        (a, start), (b, other) = SEQUENCES[first], SEQUENCES[second]
        length = min(len(a), len(b)) - 1
        mixed = lambda model: (share * model.get_input_embeddings()(torch.tensor(a[:length]))
                               + (1 - share) * model.get_input_embeddings()(torch.tensor(b[:length])))
        with torch.no_grad():
            p = logits(teacher, mixed(teacher)).log_softmax(-1)
        q = logits(student, mixed(student)).log_softmax(-1)
        scored = slice(min(start, other), length)
        total = total + (p[scored].exp() * (p[scored] - q[scored])).sum()
        rows += length - min(start, other)
    (total / rows).backward()
    return total.item() / rows, rows


def cross_entropy(model, tokens, start):
    embedded = model.get_input_embeddings()(torch.tensor(tokens[:-1]))
    targets = torch.tensor(tokens[1:])
    loss = torch.nn.functional.cross_entropy(logits(model, embedded)[start:], targets[start:], reduction="sum")
    return embedded, loss


def kdiga(student, teacher):
    total, rows, norms = 0, 0, []
    for tokens, start in SEQUENCES:
        embedded, loss = cross_entropy(teacher, tokens, start)
        (theirs,) = torch.autograd.grad(loss, embedded)
        embedded, loss = cross_entropy(student, tokens, start)
        (own,) = torch.autograd.grad(loss, embedded, create_graph=True)
        distance = (own - theirs.detach()).norm()
        total, rows = total + distance, rows + len(tokens) - 1 - start
        norms.append(distance.item())
    (total / rows).backward()
    return norms, rows


def main():
    teacher, numbers, tensors = load(TEACHER), {}, {}
    student = load(STUDENT)
    numbers["mixkd"], numbers["mixed_rows"] = mixkd(student, teacher)
    tensors |= {f"mixkd.{name}": gradient for name, gradient in gradients(student).items()}
    student = load(STUDENT)
    numbers["kdiga"], numbers["rows"] = kdiga(student, teacher)
    tensors |= {f"kdiga.{name}": gradient for name, gradient in gradients(student).items()}
    save_file(tensors, PATH + ".safetensors")
    head = {"torch": torch.__version__.split("+")[0], "student": STUDENT, "teacher": TEACHER,
            "sequences": [{"tokens": tokens, "prompt": start + 1} for tokens, start in SEQUENCES],
            "mixtures": [list(mixture) for mixture in MIXTURES]}
    with open(PATH + ".json", "w") as file:
        json.dump(head | numbers, file, indent=1)
        file.write("\n")


main()
