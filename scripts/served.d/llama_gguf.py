"""Writes a Llama directory of Hugging Face, whose tokenizer is SentencePiece's byte-pair kind, as a GGUF file of fp32.

    python llama_gguf.py DIRECTORY FILE.gguf        (gguf, numpy, safetensors)

For small models that llama.cpp is to run beside Decant; larger ones have llama.cpp's own converter.
"""
import json
import pathlib
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def turned(weight, heads):
    """Rows of a projection as llama.cpp rotates them: pairs beside one another, not halves."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def main(directory, path):
    directory = pathlib.Path(directory)
    config = json.loads((directory / "config.json").read_text())
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    if config["model_type"] != "llama" or not tokenizer["model"].get("byte_fallback"):
        sys.exit(f"{directory}: is no Llama with a SentencePiece tokenizer")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(directory.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    add_tokenizer(writer, tokenizer, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, weight in load_file(directory / "model.safetensors").items():
        for projection, heads in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if f"{projection}.weight" in name:
                weight = turned(weight, config[heads])
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(weight, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer, tokenizer, config):
    tokens = [token for token, _ in sorted(tokenizer["model"]["vocab"].items(), key=lambda entry: entry[1])]
    special = {token["id"] for token in tokenizer["added_tokens"] if token["special"]}
    # llama.cpp merges what has the highest score: the order of merges.
    rank = {}
    for place, merge in enumerate(tokenizer["model"]["merges"]):
        rank.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), place)
    scores, kinds = [], []
    for number, token in enumerate(tokens):
        is_byte = len(token) == 6 and token.startswith("<0x")
        kinds.append(UNKNOWN if number == 0 else CONTROL if number in special else BYTE if is_byte else NORMAL)
        scores.append(-float(rank[token]) if token in rank else 0.0 if kinds[-1] != NORMAL else -1e6)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])


main(*sys.argv[1:])
