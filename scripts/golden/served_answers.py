#!/usr/bin/env python3
"""Golden files of TeachersTests: what servers answer about six sequences, as transformers computes it of a tiny Llama.

    python scripts/golden/served_answers.py        (torch, transformers, tokenizers, safetensors)

In Tests/TeachersTests/Golden/served:

    model/            the Llama and its tokenizer, a byte-pair one with <s> before every text, as transformers saves them
    sequences.json    [{"text", "token_ids"}], <s> first; the texts give the ids back
    NAME-K.jsonl      the answer to each sequence, one a line, in that order, with the K most probable tokens of each position:

    vllm              /v1/completions, prompt_logprobs K, max_tokens 1. choices[0].prompt_logprobs has an entry a token: null, then
                      {"ID": {"logprob", "rank", "decoded_token"}}, what stands there first: K entries, K + 1 where that is not
                      among the K most probable
    sglang            /generate, return_logprob, logprob_start_len 0, top_logprobs_num K, max_new_tokens 1. meta_info has
                      input_token_logprobs [[logprob, id, null]], the first null, and input_top_logprobs [null, [[logprob, id, null]]]
    openai            /v1/completions, echo, logprobs K, max_tokens 0. choices[0].logprobs has tokens, token_logprobs and
                      top_logprobs by text; of several ids of one text the least probable one's value stays, and the token that
                      stands there is always among them
    llama-cpp         the same as llama-cpp-python answers, with max_tokens 1: <s> is not there, and so the token behind it has
                      null; other <s> are left out; bytes that are no character are the text ""; a token that was generated stands
                      at the end

Entry i of all of them is of token i itself: of the distribution after token i - 1. Numbers have six decimals.
"""
import json
import re
import shutil
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[2] / "Tests" / "TeachersTests" / "Golden" / "served"
BOS = 1
MERGES = [
    "t h", "th e", "▁ the", "i n", "▁ a", "a n", "an d", "▁ and", "e r", "o n", "▁ s", "r e", "▁ w", "in g", "o u", "▁ h", "▁s a"]
TEXTS = [
    "a", "the king", "and she said so", "snow — in a garden", "he said:\nüber 3 ways",
    "the hen in the sand ran on, and sang"]
# Those of the texts, half a character, and some whose text other tokens have too.
BYTES = [0x0A, 0x20, 0x61, 0x65, 0x74, 0x80, 0x94, 0x9F, 0xBC, 0xC3, 0xE2, 0xF0]


def make_tokenizer():
    symbols = ["▁", *"abcdefghijklmnopqrstuvwxyz", *".,:-'"]
    merges = [tuple(merge.split()) for merge in MERGES]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in BYTES), *symbols, *("".join(m) for m in merges)]
    tokenizer = Tokenizer(models.BPE(
        vocab={token: number for number, token in enumerate(tokens)}, merges=merges, unk_token="<unk>", fuse_unk=True,
        byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="$A $B", special_tokens=[("<s>", BOS)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens[:3]])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", clean_up_tokenization_spaces=False), tokens


def make_model(vocabulary):
    torch.manual_seed(11)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.3, tie_word_embeddings=True, bos_token_id=BOS,
        eos_token_id=2)).eval()


def text_of(token, unknown):
    """A token's text by itself; `unknown` is that of a byte that is no character."""
    if match := re.fullmatch(r"<0x(..)>", token):
        byte = int(match[1], 16)
        return chr(byte) if byte < 128 else unknown
    return token.replace("▁", " ")


class Position:
    """The distribution at a place of a sequence, and the token that stands there."""

    def __init__(self, logprobs, token, k):
        self.values, self.token = [round(value, 6) for value in logprobs.tolist()], token
        # As the servers rank: by value alone; ties are not to be had in these few positions.
        order = torch.argsort(logprobs, descending=True).tolist()
        self.top, self.rank = order[:k], order.index(token) + 1

    def texts(self, names):
        return {names[i]: self.values[i] for i in self.top} | {names[self.token]: self.values[self.token]}


def vllm(ids, positions, generated, names):
    entries = [
        {str(i): {"logprob": p.values[i], "rank": p.rank if i == p.token else p.top.index(i) + 1, "decoded_token": names[i]}
         for i in dict.fromkeys([p.token, *p.top])} for p in positions]
    return completion(names[generated.token], 0, {"logprobs": None, "prompt_logprobs": [None, *entries]}, len(ids), 1)


def sglang(ids, positions, generated, names):
    def one(p, i):
        return [p.values[i], i, None]
    return {"text": names[generated.token], "output_ids": [generated.token], "meta_info": {
        "id": "0", "finish_reason": {"type": "length", "length": 1}, "prompt_tokens": len(ids), "completion_tokens": 1,
        "cached_tokens": 0, "input_token_logprobs": [[None, ids[0], None], *(one(p, p.token) for p in positions)],
        "output_token_logprobs": [one(generated, generated.token)],
        "input_top_logprobs": [None, *([one(p, i) for i in p.top] for p in positions)],
        "output_top_logprobs": [[one(generated, i) for i in generated.top]]}}


def openai(ids, positions, generated, names):
    return echo([ids[0], *(p.token for p in positions)], [None, *positions], names, len(ids), 0)


def llama_cpp(ids, positions, generated, names):
    kept = [p for p in [*positions, generated] if p.token != BOS]
    return echo([p.token for p in kept], [None, *kept[1:]], names, len(ids), 1)


def echo(tokens, positions, names, prompt, made):
    texts = [names[token] for token in tokens]
    logprobs = {
        "text_offset": [len("".join(texts[:place])) for place in range(len(texts))],
        "token_logprobs": [p and p.values[p.token] for p in positions], "tokens": texts,
        "top_logprobs": [p and p.texts(names) for p in positions]}
    return completion("".join(texts), 0, {"logprobs": logprobs}, prompt, made)


def completion(text, index, fields, prompt, made):
    return {"id": "cmpl-0", "object": "text_completion", "created": 0, "model": "tiny",
            "choices": [{"text": text, "index": index, **fields, "finish_reason": "length"}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    tokenizer, tokens = make_tokenizer()
    model = make_model(len(tokens))
    model.save_pretrained(OUT / "model")
    tokenizer.save_pretrained(OUT / "model")
    sequences = [tokenizer(text)["input_ids"] for text in TEXTS]
    (OUT / "sequences.json").write_text(json.dumps(
        [{"text": text, "token_ids": ids} for text, ids in zip(TEXTS, sequences)], ensure_ascii=False) + "\n")
    plain, ignoring = [text_of(token, "\ufffd") for token in tokens], [text_of(token, "") for token in tokens]
    ignoring[:3] = [""] * 3
    for name, make, names in [
            ("vllm", vllm, plain), ("sglang", sglang, plain), ("openai", openai, plain), ("llama-cpp", llama_cpp, ignoring)]:
        for k in (5, 20):
            lines = []
            for ids in sequences:
                with torch.no_grad():
                    rows = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
                positions = [Position(row, token, k) for row, token in zip(rows, ids[1:])]
                generated = Position(rows[-1], int(rows[-1].argmax()), k)
                lines.append(json.dumps(make(ids, positions, generated, names), separators=(",", ":"), ensure_ascii=False))
            (OUT / f"{name}-{k}.jsonl").write_text("\n".join(lines) + "\n")
    print([len(ids) for ids in sequences], sum(file.stat().st_size for file in OUT.rglob("*") if file.is_file()), "bytes")


main()
