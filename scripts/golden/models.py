#!/usr/bin/env python3
"""Golden files of the Models room: tiny random models of transformers and what PyTorch computes with them.

    python scripts/golden/models.py [CASE ...]        (torch, transformers, safetensors, numpy)

Each case becomes a folder of Tests/ModelsTests/Golden: the model as transformers saves it, and

    expected.safetensors   logits [rows, vocabulary] of the sequences one after the other, and gradient.NAME of the mean
                           next-token cross-entropy over all sequences, for every parameter
    expected.json          the sequences, that mean, the losses of ten AdamW steps on it (decay for matrices only), and
                           what greedy decoding adds to the first tokens of a sequence

Everything is computed in fp32 from the weights as stored, so a bf16 file's expectations are of the rounded weights.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GPT2Config, GPTNeoXConfig, GraniteConfig, LlamaConfig,
    MistralConfig, OPTConfig, Phi3Config, Qwen2Config, Qwen3Config, SmolLM3Config, Starcoder2Config)

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
# PyTorch gives the vector of a padding token no gradient, so none is named. Windows are shorter than most sequences; widths of heads are not those of the hidden states over their number.
GEMMA = LLAMA | dict(
    num_hidden_layers=3, head_dim=8, sliding_window=5, query_pre_attn_scalar=6, pad_token_id=None)
PYTHIA = dict(
    vocab_size=VOCABULARY, max_position_embeddings=24, hidden_size=16, intermediate_size=28, num_hidden_layers=2,
    num_attention_heads=2, initializer_range=0.2, bos_token_id=0, eos_token_id=0)
OPT = dict(
    vocab_size=VOCABULARY, max_position_embeddings=24, hidden_size=16, ffn_dim=28, num_hidden_layers=2,
    num_attention_heads=4, init_std=0.2, dropout=0.0, bos_token_id=2, eos_token_id=2, pad_token_id=None)
PHI = LLAMA | dict(pad_token_id=None)
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
    "llama-yarn": LlamaConfig(
        **LLAMA, tie_word_embeddings=True, head_dim=16, rope_parameters={
            "rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 8,
            "beta_fast": 2.0}),
    "llama-yarn-scales": LlamaConfig(
        **LLAMA, tie_word_embeddings=True, head_dim=16, rope_parameters={
            "rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 8,
            "beta_fast": 2.0, "truncate": False, "mscale": 0.7, "mscale_all_dim": 1.3}),
    "llama-dynamic": LlamaConfig(
        **LLAMA | {"max_position_embeddings": 9}, tie_word_embeddings=True, head_dim=8, rope_parameters={
            "rope_type": "dynamic", "rope_theta": 100.0, "factor": 3.0}),
    "mistral-tied-window": MistralConfig(**LLAMA, tie_word_embeddings=True, sliding_window=5, head_dim=8),
    "mistral-untied": MistralConfig(**LLAMA, tie_word_embeddings=False, sliding_window=None),
    "qwen2-tied": Qwen2Config(**LLAMA, tie_word_embeddings=True),
    "qwen2-untied-window": Qwen2Config(
        **LLAMA | {"num_hidden_layers": 3}, tie_word_embeddings=False, use_sliding_window=True, sliding_window=5,
        max_window_layers=1),
    "qwen3-tied": Qwen3Config(**LLAMA, tie_word_embeddings=True, head_dim=8),
    "qwen3-untied-biases": Qwen3Config(**LLAMA, tie_word_embeddings=False, head_dim=6, attention_bias=True),
    "gemma2-tied": Gemma2Config(
        **GEMMA, tie_word_embeddings=True, attn_logit_softcapping=1.5, final_logit_softcapping=2.0),
    "gemma2-untied": Gemma2Config(
        **GEMMA, tie_word_embeddings=False, attn_logit_softcapping=None, final_logit_softcapping=None),
    "gemma3-tied": Gemma3TextConfig(**GEMMA | {"num_hidden_layers": 4}, tie_word_embeddings=True, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention", "sliding_attention"], rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1000.0, "factor": 3.0}}),
    "gemma3-untied-capped": Gemma3TextConfig(
        **GEMMA | {"num_hidden_layers": 7}, tie_word_embeddings=False, final_logit_softcapping=3.0),
    "gptneox-parallel": GPTNeoXConfig(**PYTHIA, tie_word_embeddings=False),
    "gptneox-tied-sequential": GPTNeoXConfig(
        **PYTHIA, tie_word_embeddings=True, use_parallel_residual=False, attention_bias=False,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}),
    "opt-tied": OPTConfig(**OPT, tie_word_embeddings=True),
    "opt-untied": OPTConfig(**OPT, tie_word_embeddings=False, enable_bias=False, activation_function="gelu"),
    "phi3-untied-window": Phi3Config(**PHI, tie_word_embeddings=False, sliding_window=5),
    "phi3-tied-longrope": Phi3Config(
        **PHI | {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 96},
        tie_word_embeddings=True,
        original_max_position_embeddings=24, rope_parameters={
            "rope_type": "longrope", "rope_theta": 100.0, "partial_rotary_factor": 0.75,
            "short_factor": [1.0, 1.5, 2.5], "long_factor": [1.0, 2.0, 4.0]}),
    "smollm3-tied": SmolLM3Config(
        **LLAMA | {"num_hidden_layers": 5}, pad_token_id=None, tie_word_embeddings=True, no_rope_layer_interval=2),
    "smollm3-untied-window": SmolLM3Config(
        **LLAMA | {"num_hidden_layers": 4}, pad_token_id=None, tie_word_embeddings=False, no_rope_layers=[0, 1, 1, 0],
        use_sliding_window=True, sliding_window=5, attention_bias=True, mlp_bias=True),
    "granite-tied": GraniteConfig(
        **LLAMA, tie_word_embeddings=True, embedding_multiplier=3.0, attention_multiplier=0.3, residual_multiplier=0.4,
        logits_scaling=2.5),
    "granite-untied-biases": GraniteConfig(
        **LLAMA, tie_word_embeddings=False, attention_bias=True, mlp_bias=True, residual_multiplier=1.7),
    "starcoder2-tied-window": Starcoder2Config(**LLAMA, tie_word_embeddings=True, sliding_window=5),
    "starcoder2-untied": Starcoder2Config(**LLAMA, tie_word_embeddings=False, use_bias=False),
}
SEQUENCES, GREEDY_PROMPT, GREEDY_TOKENS = (7, 12, 2, 24), 3, 5
STORED = {"llama-untied-bf16": torch.bfloat16, "llama-linear-f16": torch.float16}


def loss_of(model, sequences):
    """Logits of every row, and the mean next-token cross-entropy over all sequences."""
    logits = [model(torch.tensor([s])).logits[0] for s in sequences]
    predicted = torch.cat([l[:-1] for l in logits])
    targets = torch.cat([torch.tensor(s[1:]) for s in sequences])
    return torch.cat(logits), torch.nn.functional.cross_entropy(predicted, targets)


def make(name, config):
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(config)
    for key, parameter in model.named_parameters():  # gains and biases away from 1 and 0, so that they count
        if parameter.dim() == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(STORED.get(name, torch.float32)).save_pretrained(
        folder, max_shard_size="12KB" if name.endswith("shards") else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    expectations(folder, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval())


def expectations(folder, model):
    """Writes what PyTorch computes with a model beside it."""
    sequences = [torch.randint(VOCABULARY, (n,)).tolist() for n in SEQUENCES]
    logits, loss = loss_of(model, sequences)
    loss.backward()
    # Files of GPT-NeoX call the head otherwise than the class does.
    stored = {"lm_head.weight": "embed_out.weight"} if model.config.model_type == "gpt_neox" else {}
    expected = {"logits": logits.detach()}
    expected |= {
        f"gradient.{stored.get(k, k)}": p.grad.clone().contiguous() for k, p in model.named_parameters()}
    save_file(expected, folder / "expected.safetensors")

    greedy = sequences[0][:GREEDY_PROMPT]
    with torch.no_grad():
        for _ in range(GREEDY_TOKENS):
            greedy = greedy + [model(torch.tensor([greedy])).logits[0, -1].argmax().item()]

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
        "weight_decay": WEIGHT_DECAY, "losses": losses, "greedy": greedy}).replace(', "', ',\n "') + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{folder.name}: loss {loss.item():.4f} -> {losses[-1]:.4f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or CASES:
        make(name, CASES[name])
