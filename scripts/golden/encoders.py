#!/usr/bin/env python3
"""Golden files of the encoders of the Models room: tiny random models of transformers and what PyTorch computes with them.

    python scripts/golden/encoders.py        (torch, transformers, safetensors)

Each case becomes a folder of Tests/ModelsTests/Golden: the model as transformers saves it, or an older version did, and

    expected.safetensors   hidden [rows, hidden] of the sequences one after the other, mean, cls, last and, where the model
                           has one, pooler [sequences, hidden]; weight.NAME of the same shape as hidden, mean and pooler; and
                           gradient.NAME of the sum of all their products, for every parameter
    expected.json          the sequences
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertModel

OUT = Path(__file__).resolve().parents[2] / "Tests" / "ModelsTests" / "Golden"
VOCABULARY = 40
BERT = dict(
    vocab_size=VOCABULARY, max_position_embeddings=24, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
    intermediate_size=28, initializer_range=0.2, attn_implementation="eager")
CASES = {
    "bert-pooler": (BertModel, BertConfig(**BERT)),
    # With the head of its task, without a pooler, under the names of older versions.
    "bert-masked-lm": (BertForMaskedLM, BertConfig(**BERT | {"num_attention_heads": 2}, hidden_act="relu", layer_norm_eps=1e-5)),
}


def age(path):
    """Gives a file the names that checkpoints of the first versions have, and the buffer that they hold."""
    tensors = load_file(path)
    old = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in tensors.items()}
    old["bert.embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    save_file(old, path, metadata={"format": "pt"})


def make(name, kind, config):
    torch.manual_seed(sum(name.encode()))
    model = kind(config)
    for parameter in model.parameters():  # gains and biases away from 1 and 0, so that they count
        if parameter.dim() == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if kind is BertForMaskedLM:
        age(folder / "model.safetensors")
    body = (model.bert if kind is BertForMaskedLM else model).eval()

    sequences = [torch.randint(1, VOCABULARY, (n,)).tolist() for n in (7, 1, 24, 2, 13)]
    results = [body(torch.tensor([s])) for s in sequences]
    values = {"hidden": torch.cat([r.last_hidden_state[0] for r in results])}
    values["mean"] = torch.stack([r.last_hidden_state[0].mean(0) for r in results])
    if results[0].pooler_output is not None:
        values["pooler"] = torch.cat([r.pooler_output for r in results])
    weights = {k: torch.randn_like(v) for k, v in values.items()}
    sum((values[k] * weights[k]).sum() for k in values).backward()
    values["cls"] = torch.stack([r.last_hidden_state[0, 0] for r in results])
    values["last"] = torch.stack([r.last_hidden_state[0, -1] for r in results])
    expected = {k: v.detach().contiguous() for k, v in values.items()}
    expected |= {f"weight.{k}": v for k, v in weights.items()}
    expected |= {f"gradient.{k}": p.grad.clone().contiguous() for k, p in body.named_parameters()}
    save_file(expected, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps({"sequences": sequences}) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{name}: {len(expected)} tensors, {sum(p.numel() for p in body.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (kind, config) in CASES.items():
        make(name, kind, config)
