#!/usr/bin/env python3
"""Golden files of TokenizersTests: the tokenizers of sentence-piece/t5.model and word-piece-uncased.tokenizer.json as
llama.cpp's converter would write them to GGUF. What they give is in the golden files of these two.

    python scripts/golden/gguf_words.py        (gguf, sentencepiece, protobuf; after sentence_piece.py and word_piece.py)"""

import json
import pathlib

import gguf
from sentencepiece import sentencepiece_model_pb2

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "TokenizersTests" / "Golden"
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5


def write(name, architecture, fill):
    path = FOLDER / "gguf" / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(name, path.stat().st_size)


def t5(writer):
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((FOLDER / "sentence-piece" / "t5.model").read_bytes())
    count = len(model.pieces)
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.piece for piece in model.pieces] + [f"[PAD{count + i}]" for i in range(100)])
    writer.add_token_scores([piece.score for piece in model.pieces] + [-1000.0] * 100)
    writer.add_token_types([piece.type for piece in model.pieces] + [UNUSED] * 100)
    writer.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    writer.add_remove_extra_whitespaces(model.normalizer_spec.remove_extra_whitespaces)
    writer.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_eos_token(True)


def bert(writer):
    vocabulary = json.loads((FOLDER / "word-piece-uncased.tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)

    def phantom(token):
        if token.startswith("[") and token.endswith("]"):
            return token
        return token[2:] if token.startswith("##") else "\u2581" + token

    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([phantom(token) for token in tokens])
    writer.add_token_types([NORMAL] * len(tokens))
    for name, add in {
            "[UNK]": writer.add_unk_token_id, "[SEP]": writer.add_sep_token_id, "[PAD]": writer.add_pad_token_id,
            "[MASK]": writer.add_mask_token_id, "[CLS]": writer.add_bos_token_id}.items():
        if name in vocabulary:
            add(vocabulary[name])


write("t5", "t5", t5)
write("bert", "bert", bert)
