#!/usr/bin/env python3
"""Golden files of the Models room: tiny random models of transformers and what PyTorch computes with them.

    python scripts/golden/models.py        (torch, transformers, safetensors, numpy)

Each case becomes a folder of Tests/ModelsTests/Golden: the model as transformers saves it, and

    expected.safetensors   logits [rows, vocabulary] of the sequences one after the other, and gradient.NAME of the mean
                           next-token cross-entropy over all sequences, for every parameter
    expected.json          the sequences, that mean, and the losses of ten AdamW steps on it (decay for matrices only)

Everything is computed in fp32 from the weights as stored, so a bf16 file's expectations are of the rounded weights.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

OUT = Path(__file__).resolve().parents[2] / "Tests" / "ModelsTests" / "Golden"
VOCABULARY, LEARNING_RATE, BETAS, WEIGHT_DECAY, STEPS = 40, 3e-3, (0.9, 0.95), 0.1, 10

GPT2 = dict(
    vocab_size=VOCABULARY, n_positions=24, n_embd=16, n_layer=2, n_head=4, initializer_range=0.2,
    resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
)
LLAMA = dict(
    vocab_size=VOCABULARY, max_position_embeddings=24, hidden_size=16, intermediate_size=28, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, initializer_range=0.2, bos_token_id=1, eos_token_id=2,
)
CASES = {
    "gpt2-tied": GPT2Config(**GPT2, activation_function="gelu_new", tie_word_embeddings=True),
    "gpt2-untied-relu": GPT2Config(
        **GPT2, activation_function="relu", n_inner=24, tie_word_embeddings=False, scale_attn_by_inverse_layer_idx=True),
    "gpt2-gelu-unscaled": GPT2Config(
        **GPT2, activation_function="gelu", n_inner=20, tie_word_embeddings=True, scale_attn_weights=False),
    "llama-tied": LlamaConfig(**LLAMA, tie_word_embeddings=True),
    "llama-untied-bf16": LlamaConfig(**LLAMA, tie_word_embeddings=False),
    "llama-linear-f16": LlamaConfig(
        **LLAMA, tie_word_embeddings=True, rope_parameters={"rope_type": "linear", "factor": 3.0, "rope_theta": 500.0}),
    "llama-llama3-biases-shards": LlamaConfig(
        **LLAMA | {"max_position_embeddings": 128}, tie_word_embeddings=False, head_dim=8, attention_bias=True, mlp_bias=True,
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
}
STORED = {"llama-untied-bf16": torch.bfloat16, "llama-linear-f16": torch.float16}


def loss_of(model, sequences):
    """Logits of every row, and the mean next-token cross-entropy over all sequences."""
    logits = [model(torch.tensor([s])).logits[0] for s in sequences]
    predicted = torch.cat([l[:-1] for l in logits])
    targets = torch.cat([torch.tensor(s[1:]) for s in sequences])
    return torch.cat(logits), torch.nn.functional.cross_entropy(predicted, targets)


def make(name, config):
    torch.manual_seed(sum(name.encode()))
    model = (GPT2LMHeadModel if config.model_type == "gpt2" else LlamaForCausalLM)(config)
    for key, parameter in model.named_parameters():  # gains and biases away from 1 and 0, so that they count
        if parameter.dim() == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(STORED.get(name, torch.float32)).save_pretrained(
        folder, max_shard_size="12KB" if name.endswith("shards") else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    sequences = [torch.randint(VOCABULARY, (n,)).tolist() for n in (7, 12, 2, 24)]
    logits, loss = loss_of(model, sequences)
    loss.backward()
    expected = {"logits": logits.detach()}
    expected |= {f"gradient.{k}": p.grad.clone().contiguous() for k, p in model.named_parameters()}
    save_file(expected, folder / "expected.safetensors")

    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer, losses = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=1e-8), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        step_loss = loss_of(model, sequences)[1]
        losses.append(step_loss.item())
        step_loss.backward()
        optimizer.step()
    (folder / "expected.json").write_text(json.dumps({
        "sequences": sequences, "loss": loss.item(), "learning_rate": LEARNING_RATE, "betas": BETAS,
        "weight_decay": WEIGHT_DECAY, "losses": losses}).replace(', "', ',\n "') + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{name}: loss {loss.item():.4f} -> {losses[-1]:.4f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, config in CASES.items():
        make(name, config)
