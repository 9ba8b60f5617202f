#!/usr/bin/env python3
"""Golden files of TokenizersTests: small tokenizers as llama.cpp's converter would write them to GGUF, and what transformers
makes of awkward texts with them when it reads the files.

    python scripts/golden/gguf_tokenizers.py        (gguf, transformers, tokenizers)

Each case becomes Tests/TokenizersTests/Golden/gguf/NAME.gguf, without weights, and NAME.json: for each text of texts.json
its ids, the ids with special tokens, and the text of these. Two things are set right in what transformers made, which it
leaves out though the tokenizers that these pre-tokenizers are named after have them: NFC where `pre` is qwen2 or olmo, and
`ignore_merges` where it is llama-bpe or tekken."""

import json
import pathlib

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS as SPLITS

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "TokenizersTests" / "Golden"
CORPUS = """
The student reads what the teacher wrote, and the teacher reads what the student writes. A cache holds the logits.
It's the 2nd of 3 lessons; there're 12,345 tokens, they'll say -- and 67.89% of them don't matter. Café, naïve, Führer.
def skew(p, q, alpha=0.1):\n    return alpha * p + (1 - alpha) * q\n\n    # the mixture\n\tpass
Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch. Дистилляция знаний. 蒸馏模型 知識の蒸留 😀😁
Hello World, HELLO WORLD, helloWorld, the Teacher and theTeacher, 2024 20 24   three spaces    and four
""".strip().split("\n")
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6


def byte_level_words(pre):
    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre in SPLITS:
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLITS[pre]), "isolated"), bytes_alone])
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words]) if pre == "smollm" else words


def byte_level(writer, pre):
    specials = ["<|endoftext|>", "<|im_start|>", "<|mask|>", "<think>"]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = byte_level_words(pre)
    t.train_from_iterator(
        CORPUS, trainers.BpeTrainer(
            vocab_size=430, show_progress=False, special_tokens=specials,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(t.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    # A word that is a token, but that its merges do not make.
    tokens.append("ĠTeacher's" if "Teacher" in tokens else "qqq")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL] * 3 + [USER] + [NORMAL] * (len(tokens) - 4))
    writer.add_token_merges([" ".join(m) for m in model["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    return pre


def sentence_piece(writer, kind):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    if kind != "gemma3":
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    specials = ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "<|mask|>", "word"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=620, show_progress=False, special_tokens=specials))
    vocabulary = json.loads(t.to_str())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    if kind == "gemma3":
        # As Gemma's files have them: blanks as spaces.
        tokens = [" " * len(x) if set(x) == {"▁"} and len(x) > 1 else x for x in tokens]
    kinds = [UNKNOWN] + [CONTROL] * 5 + [USER] + [BYTE] * 256 + [NORMAL] * (len(tokens) - 263)
    # Letters come first in what was trained; SentencePiece gives them the lowest scores. Some scores are equal.
    letters = sum(len(x) == 1 for x in tokens[263:])
    scores = [0.0] * 263
    for place in range(len(tokens) - 263):
        scores.append(-1000.0 - place if place < letters else -float((place - letters) // 2))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(3)
    if kind == "gemma3":
        writer.add_add_space_prefix(False)
    return None


CASES = {
    "gpt-2": ("llama", lambda w: byte_level(w, "gpt-2")), "smollm": ("llama", lambda w: byte_level(w, "smollm")),
    "olmo": ("llama", lambda w: byte_level(w, "olmo")), "qwen2": ("qwen2", lambda w: byte_level(w, "qwen2")),
    "llama-bpe": ("llama", lambda w: byte_level(w, "llama-bpe")), "nemo": ("llama", lambda w: byte_level(w, "tekken")),
    "gpt-4o": ("phi3", lambda w: byte_level(w, "gpt-4o")), "llama": ("llama", lambda w: sentence_piece(w, "llama")),
    "phi3": ("phi3", lambda w: sentence_piece(w, "phi3")), "gemma3": ("gemma3", lambda w: sentence_piece(w, "gemma3")),
}
BEGINS = {"llama-bpe", "tekken"}


def make(name, architecture, fill, texts):
    path = FOLDER / "gguf" / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    for add, value in [
        (writer.add_context_length, 64), (writer.add_embedding_length, 32), (writer.add_block_count, 1),
        (writer.add_feed_forward_length, 32), (writer.add_head_count, 2), (writer.add_head_count_kv, 2),
        (writer.add_layer_norm_rms_eps, 1e-5), (writer.add_rope_freq_base, 1e4), (writer.add_key_length, 16)]:
        add(value)
    pre = fill(writer)
    writer.add_chat_template("{{ messages }}")
    if name in ("olmo", "llama"):
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(True)
    if pre in BEGINS:
        writer.add_add_bos_token(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    backend = tokenizer.backend_tokenizer
    if pre in ("qwen2", "olmo"):
        backend.normalizer = normalizers.NFC()
    if pre in BEGINS:
        backend.model.ignore_merges = True
    vectors = []
    for text in texts:
        ids = backend.encode(text, add_special_tokens=True).ids
        vectors.append([
            backend.encode(text, add_special_tokens=False).ids, ids, backend.decode(ids),
            backend.decode(ids, skip_special_tokens=False)])
    value = {"bos": tokenizer.bos_token, "eos": tokenizer.eos_token, "texts": vectors}
    path.with_suffix(".json").write_text(json.dumps(value, separators=(",", ":")) + "\n")
    print(name, type(tokenizer).__name__, path.stat().st_size, path.with_suffix(".json").stat().st_size)


(FOLDER / "gguf").mkdir(parents=True, exist_ok=True)
texts = json.loads((FOLDER / "texts.json").read_text())
for name, (architecture, fill) in CASES.items():
    make(name, architecture, fill, texts)
