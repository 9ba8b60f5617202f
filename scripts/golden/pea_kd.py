#!/usr/bin/env python3
"""Golden files of Pea-KD (arXiv 2009.14822), by PyTorch and transformers:

    python scripts/golden/pea_kd.py        (torch, transformers, safetensors, numpy)

Tests/ModelsTests/Golden/shared-*: models of two layers, each used twice, as transformers saves their unrolled form, with what
models.py writes beside a model. Here the upper layers are the lower ones, the very modules, with those of queries and keys in each
other's place where the name says so; so a gradient is that of both uses, under the name of the first, and AdamW has each
parameter once.

Tests/MethodsTests/Golden/ptp.json: the loss of pre-training with the teacher's predictions on the model llama-tied: the classifier
reads the state of the token itself, and what the teacher says is drawn by SplitMix64 (splitmix.py).
"""

import json
import shutil

import torch
from transformers import AutoModelForCausalLM, GPT2Config, OPTConfig, Qwen3Config

from models import GPT2, LLAMA, OPT, OUT, expectations
from splitmix import uniform

LAYERS = 2
UNROLLED = {"num_hidden_layers": 2 * LAYERS}
CASES = {
    "shared-qwen3-swapped": Qwen3Config(
        **LLAMA | UNROLLED | {"num_key_value_heads": 4}, head_dim=8, pad_token_id=None, tie_word_embeddings=True,
        attention_bias=True),
    "shared-opt-swapped": OPTConfig(**OPT | UNROLLED, tie_word_embeddings=False),
    "shared-gpt2": GPT2Config(
        **GPT2 | {"n_layer": 2 * LAYERS}, activation_function="gelu_new", tie_word_embeddings=True,
        scale_attn_by_inverse_layer_idx=True),
}
PTP = OUT.parents[1] / "MethodsTests" / "Golden" / "ptp.json"


def layers_of(model):
    body = model.transformer.h if hasattr(model, "transformer") else model.model
    return body if isinstance(body, torch.nn.ModuleList) else getattr(body, "decoder", body).layers


def share(model, swapped):
    """Makes the lower layers' modules the upper ones', each attention keeping its own number."""
    layers = layers_of(model)
    for lower, upper in zip(layers[:LAYERS], layers[LAYERS:]):
        for name, module in lower.named_children():
            if "attn" in name and "norm" not in name:
                own = getattr(upper, name)
                for part, inner in module.named_children():
                    other = {"q": "k", "k": "q"}.get(part[0]) if swapped else None
                    place = other + part[1:] if other and part[1:] in ("_proj", "_norm") else part
                    setattr(own, place, inner)
            else:
                setattr(upper, name, module)


def make(name, config):
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    share(model, name.endswith("swapped"))
    for parameter in model.parameters():  # gains and biases away from 1 and 0, so that they count
        if parameter.dim() == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    unrolled = AutoModelForCausalLM.from_config(config)
    unrolled.load_state_dict(model.state_dict())
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    unrolled.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    expectations(folder, model)


def shown_of(gradient, number):
    """A gradient's norm, and up to six of its numbers around the largest."""
    at = max(0, min(int(gradient.abs().argmax()), len(gradient) - 6))
    return {"norm": number(gradient.norm().item()), "at": at, "numbers": [number(value) for value in gradient[at:at + 6].tolist()]}


def pretraining():
    model = AutoModelForCausalLM.from_pretrained(OUT / "llama-tied", dtype=torch.float32, attn_implementation="eager").eval()
    width = model.config.hidden_size
    sequences, prompts = [[3, 14, 15, 9, 26, 5, 35, 8], [9, 7, 9, 3, 2], [1, 2], [38, 4, 6, 26, 4, 33, 8, 32, 7, 9, 5]], [3, 1, 1, 4]
    weight = torch.tensor((uniform(7, 4 * width) - 0.5).reshape(4, width), dtype=torch.float32, requires_grad=True)
    bias = torch.tensor(uniform(8, 4) - 0.5, dtype=torch.float32, requires_grad=True)
    bounds, draws, at = (0.6, 0.3), uniform(9, 200), 0
    losses, classes, choices, right = [], [], [], 0
    for sequence, prompt in zip(sequences, prompts):
        states = model.model(torch.tensor([sequence])).last_hidden_state[0]
        for position in range(prompt - 1, len(sequence) - 1):
            token = sequence[position + 1]
            isright, probability = draws[at] < 0.5, round(float(draws[at + 1]), 6)
            at += 2
            choices.append([token if isright else (token + 1) % 40, probability])
            if position + 2 == len(sequence):
                continue  # The token that ends a text is no input.
            kind = (0 if probability > bounds[0] else 1) if isright else (2 if probability > bounds[1] else 3)
            logits = states[position + 1] @ weight.T + bias
            losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(kind)))
            classes.append(kind)
            right += int(logits.argmax().item() == kind)
    loss = torch.stack(losses).sum()
    (loss / len(choices)).backward()
    shown = ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight",
             "model.norm.weight"]
    gradients = {name: dict(model.named_parameters())[name].grad for name in shown} | {
        "classifier.weight": weight.grad, "classifier.bias": bias.grad}
    assert set(classes) == {0, 1, 2, 3}
    number = lambda value: float(f"{value:.8g}")
    document = {
        "torch": torch.__version__.split("+")[0], "sequences": sequences, "prompts": prompts, "bounds": bounds,
        "choices": choices, "classes": classes, "right": right, "loss": number(loss.item()),
        "gradients": {name: shown_of(gradient.flatten(), number) for name, gradient in gradients.items()}}
    PTP.write_text(json.dumps(document).replace(', "', ',\n "') + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, config in CASES.items():
        make(name, config)
    pretraining()
