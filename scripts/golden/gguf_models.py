#!/usr/bin/env python3
"""Golden files of ModelsTests: tiny random models as llama.cpp's converter would write them to GGUF, plain and quantised, and
the logits that transformers gives for the same values.

    python scripts/golden/gguf_models.py        (gguf, torch, transformers, safetensors, numpy)

Each case becomes Tests/ModelsTests/Golden/gguf/NAME.gguf and NAME.safetensors: logits [rows, vocabulary] of the sequences
one after the other; its metadata hold the sequences as JSON. Tensors are named by the table of the package `gguf`. Where
transformers can load the GGUF file of a case, its logits must be the same, else the script fails."""

import json
import math
import pathlib
import tempfile

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as T
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "ModelsTests" / "Golden" / "gguf"
VOCABULARY = 64
SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2, bos_token_id=1, eos_token_id=2,
    pad_token_id=None)
SMALL = SIZES | dict(hidden_size=32, intermediate_size=64)
DOTS = {"layer_norm_epsilon": "attention.layer_norm_epsilon", "rms": "attention.layer_norm_rms_epsilon"}


def config(kind, base=SIZES, **options):
    return getattr(transformers, f"{kind}Config")(**base | options)


def theta(value, **scaling):
    return {"rope_theta": value, "rope_type": "default"} | scaling


# Name: configuration, and the types that matrices take in turn.
MIXED = [T.Q8_0, T.Q4_0, T.Q5_1, T.F16, T.Q4_1, T.BF16, T.Q5_0]
CASES = {
    "llama": (config("Llama", SMALL, rope_parameters=theta(10000.0), tie_word_embeddings=False), [T.F32]),
    "llama-quantised": (config("Llama", rope_parameters=theta(500.0), tie_word_embeddings=True, head_dim=16), MIXED),
    "llama-biases-llama3": (
        config("Llama", SMALL, attention_bias=True, mlp_bias=True, tie_word_embeddings=False, max_position_embeddings=16384,
               head_dim=32, rope_parameters=theta(
                   500000.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=8192)), [T.Q8_0]),
    "llama-linear": (
        config("Llama", SMALL, tie_word_embeddings=True, rope_parameters=theta(10000.0, rope_type="linear", factor=4.0)),
        [T.Q8_0]),
    "gpt2": (
        transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, n_inner=64, initializer_range=0.2,
            bos_token_id=0, eos_token_id=0), [T.F32]),
    "gpt2-quantised": (
        transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, n_inner=96, initializer_range=0.2,
            bos_token_id=0, eos_token_id=0, tie_word_embeddings=False), [T.Q8_0, T.Q5_0]),
    "qwen2": (config("Qwen2", SMALL, rope_parameters=theta(1e6), tie_word_embeddings=True), [T.Q8_0, T.Q5_1]),
    "qwen3": (config("Qwen3", SMALL, rope_parameters=theta(1e6), head_dim=16, tie_word_embeddings=False), [T.Q8_0]),
    "gemma2": (
        config("Gemma2", SMALL, num_hidden_layers=4, head_dim=16, sliding_window=4, query_pre_attn_scalar=16,
               rope_parameters=theta(10000.0)), [T.Q8_0]),
    "gemma3": (
        config("Gemma3Text", SMALL, num_hidden_layers=7, head_dim=16, sliding_window=4, query_pre_attn_scalar=16), [T.Q4_1]),
    "phi3": (config("Phi3", SMALL, rope_parameters=theta(10000.0), sliding_window=5, tie_word_embeddings=False), [T.Q8_0]),
    "phi3-longrope": (
        config("Phi3", SMALL, original_max_position_embeddings=16, sliding_window=None, tie_word_embeddings=False,
               rope_parameters=theta(
                   10000.0, rope_type="longrope", short_factor=[1.0, 1.5, 2.25, 3.0], long_factor=[1.0, 2.5, 6.0, 12.0])),
        [T.Q8_0]),
    "gptneox": (
        transformers.GPTNeoXConfig(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=64, initializer_range=0.2, bos_token_id=0, eos_token_id=0,
            rope_parameters=theta(10000.0, partial_rotary_factor=0.25)), [T.Q8_0]),
    "starcoder2": (
        config("Starcoder2", SMALL, sliding_window=None, rope_parameters=theta(1e4), hidden_act="gelu_pytorch_tanh",
               use_bias=True, tie_word_embeddings=True), [T.Q8_0]),
    "granite": (
        config("Granite", SMALL, attention_multiplier=0.3, embedding_multiplier=3.0, residual_multiplier=0.4,
               logits_scaling=2.0, rope_parameters=theta(10000.0), tie_word_embeddings=True), [T.Q8_0]),
    "smollm3": (
        config("SmolLM3", SMALL, num_hidden_layers=4, rope_parameters=theta(5e6), tie_word_embeddings=True), [T.Q8_0]),
}
ARCHITECTURE = {"gemma3_text": "gemma3", "gpt_neox": "gptneox"}
TURNED = {"llama", "granite", "smollm3"}
# Those whose GGUF files transformers reads into the same model; it knows no rotary scaling of them.
READ_BY_TRANSFORMERS = {
    "llama", "llama-quantised", "gpt2", "gpt2-quantised", "qwen2", "qwen3", "gemma2", "gemma3", "starcoder2"}


def turn(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(w.shape)


def turn_back(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


def sort(w, heads):
    return w.reshape(heads, 3, w.shape[0] // heads // 3, -1).swapaxes(0, 1).reshape(w.shape)


def sort_back(w, heads):
    return w.reshape(3, heads, w.shape[0] // heads // 3, -1).swapaxes(0, 1).reshape(w.shape)


def changes(name, c, arch):
    """What the converter does to a tensor, and its inverse."""
    if arch == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return lambda w: w.T, lambda w: w.T
    if arch in TURNED and "q_proj." in name:
        return lambda w: turn(w, c.num_attention_heads), lambda w: turn_back(w, c.num_attention_heads)
    if arch in TURNED and "k_proj." in name:
        return lambda w: turn(w, c.num_key_value_heads), lambda w: turn_back(w, c.num_key_value_heads)
    if arch in ("gemma2", "gemma3") and name.endswith("norm.weight"):
        return lambda w: w + np.float32(1), lambda w: w - np.float32(1)
    if arch == "gptneox" and "query_key_value" in name:
        return lambda w: sort(w, c.num_attention_heads), lambda w: sort_back(w, c.num_attention_heads)
    return lambda w: w, lambda w: w


def add_metadata(writer, c, arch):
    get = lambda *names: next((getattr(c, n) for n in names if getattr(c, n, None) is not None), None)
    heads, width = get("num_attention_heads"), get("hidden_size")
    rope = getattr(c, "rope_parameters", None) or {}
    if arch == "gemma3":
        writer.add_rope_freq_base(rope["full_attention"]["rope_theta"])
    elif "rope_theta" in rope:
        writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_context_length(get("max_position_embeddings"))
    writer.add_embedding_length(width)
    writer.add_block_count(get("num_hidden_layers"))
    writer.add_feed_forward_length(get("intermediate_size", "n_inner"))
    writer.add_head_count(heads)
    if arch not in ("gpt2", "gptneox"):
        writer.add_head_count_kv(c.num_key_value_heads)
    if get("rms_norm_eps"):
        writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    else:
        writer.add_layer_norm_eps(get("layer_norm_epsilon", "norm_epsilon", "layer_norm_eps"))
    head = getattr(c, "head_dim", None) or width // heads
    if arch in ("qwen3", "gemma2", "gemma3") or (arch == "llama" and head != width // heads):
        writer.add_key_length(head)
        writer.add_value_length(head)
    if arch in TURNED or arch == "phi3":
        writer.add_rope_dimension_count(head)
    if arch == "gptneox":
        writer.add_rope_dimension_count(int(head * rope["partial_rotary_factor"]))
        writer.add_parallel_residual(c.use_parallel_residual)
    if arch in ("gemma2", "gemma3") or (arch == "phi3" and c.sliding_window):
        writer.add_sliding_window(c.sliding_window)
    if arch == "gemma2":
        writer.add_attn_logit_softcapping(c.attn_logit_softcapping)
        writer.add_final_logit_softcapping(c.final_logit_softcapping)
    if arch == "granite":
        writer.add_attention_scale(c.attention_multiplier)
        writer.add_embedding_scale(c.embedding_multiplier)
        writer.add_residual_scale(c.residual_multiplier)
        writer.add_logit_scale(c.logits_scaling)
    kind = rope.get("rope_type")
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "longrope":
        writer.add_rope_scaling_orig_ctx_len(c.original_max_position_embeddings)
        scale = c.max_position_embeddings / c.original_max_position_embeddings
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(c.original_max_position_embeddings)))
        writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))
    if kind == "llama3":
        divisors = []
        for frequency in 1.0 / (rope["rope_theta"] ** (np.arange(0, head, 2, dtype=np.float32) / head)):
            length, original = 2 * math.pi / frequency, rope["original_max_position_embeddings"]
            low, high = original / rope["low_freq_factor"], original / rope["high_freq_factor"]
            smooth = (original / length - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            divisors.append(
                1 if length < high else rope["factor"] if length > low else 1 / ((1 - smooth) / rope["factor"] + smooth))
        writer.add_tensor("rope_freqs.weight", np.array(divisors, np.float32))


def add_tokenizer(writer, c):
    """A vocabulary of SentencePiece's kind: marks, bytes, letters and a few words."""
    words = ["▁", "t", "h", "e", "a", "n", "d", "th", "the", "▁the", "an", "and", "▁and"]
    tokens = ["<unk>", "<s>", "</s>"] + words
    kinds = [2, 3, 3] + [1] * len(words)
    while len(tokens) < VOCABULARY:
        tokens.append(f"<0x{len(tokens):02X}>")
        kinds.append(6)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 3 + [-float(i) for i in range(len(tokens) - 3)])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    if c.bos_token_id is not None:
        writer.add_bos_token_id(c.bos_token_id)
    writer.add_eos_token_id(c.eos_token_id)


def write(path, model, types):
    """Writes the model; returns its parameters as the file has them, in the layout of transformers."""
    c = model.config
    arch = ARCHITECTURE.get(c.model_type, c.model_type)
    number = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(number, c.num_hidden_layers)
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name("tiny")
    add_metadata(writer, c, arch)
    add_tokenizer(writer, c)
    stored, turn_of = {}, 0
    tied = getattr(c, "tie_word_embeddings", False)
    for name, parameter in model.state_dict().items():
        if tied and name in ("lm_head.weight", "embed_out.weight"):
            continue
        own = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert own, name
        there, back = changes(name, c, arch)
        data = np.ascontiguousarray(there(parameter.float().numpy()))
        kind = T.F32
        if data.ndim == 2:
            kind, turn_of = types[turn_of % len(types)], turn_of + 1
        packed = gguf.quants.quantize(data, kind)
        writer.add_tensor(own, packed, raw_dtype=kind)
        stored[name] = torch.from_numpy(np.ascontiguousarray(back(gguf.quants.dequantize(packed, kind).reshape(data.shape))))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def logits(model, sequences):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([s])).logits[0] for s in sequences]).float()


def make(name, c, types):
    torch.manual_seed(sum(name.encode()))
    c._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager").eval()
    for _, parameter in model.named_parameters():  # gains and biases away from 1 and 0, so that they count
        if parameter.dim() == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    path = OUT / f"{name}.gguf"
    stored = write(path, model, types)
    model.load_state_dict(stored, strict=False)
    model.tie_weights()
    sequences = [torch.randint(VOCABULARY, (n,)).tolist() for n in (7, 13, 2)]
    expected = logits(model, sequences)
    if name in READ_BY_TRANSFORMERS:
        # What it takes from no file, but from the models that it knows.
        known = ("n_positions", "n_inner", "head_dim", "query_pre_attn_scalar", "hidden_act")
        sizes = {k: getattr(c, k) for k in known if getattr(c, k, None) is not None}
        other = AutoModelForCausalLM.from_pretrained(
            OUT, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager", **sizes).eval()
        gap = (logits(other, sequences) - expected).abs().max().item()
        assert gap < 1e-4, f"{name}: transformers reads other values, {gap} apart"
    save_file(
        {"logits": expected.contiguous()}, OUT / f"{name}.safetensors", metadata={"sequences": json.dumps(sequences)})
    print(f"{name}: {path.stat().st_size} bytes, {sum(p.numel() for p in model.parameters())} parameters")


OUT.mkdir(parents=True, exist_ok=True)
for name, (c, types) in CASES.items():
    make(name, c, types)
