"""Compares what llama.cpp says with what Decant says of the same weights: the Python of scripts/served-teacher.

    python compare.py rows TEXT ROWS.jsonl                     prompts and responses of some hundred tokens
    python compare.py server URL TOKENIZER ROWS CACHE          a server's answers, with a cache that decant filled of the rows
    python compare.py caches FIRST SECOND                      two caches, or sealed files, of the same sequences
    python compare.py logits FILE MODEL                        a file of llama-perplexity, with what `decant precompute` says
    python compare.py imported FILE CACHE MODEL                with what `decant cache import` made of it
    (numpy, lmdb)

Each prints the largest differences and ends with 1 where one is beyond TOLERANCE nats.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import decant_cache  # noqa: E402

# fp32 on both sides, in another order of sums; the codes of a logits file are up to 1.3e-4 off by themselves.
TOLERANCE = float(os.environ.get("TOLERANCE", "1e-3"))
DECANT = os.environ.get("DECANT", str(ROOT / ".build/release/decant"))


def report(what, differences):
    differences = np.abs(np.array(differences, np.float64))
    if not differences.size:
        sys.exit(f"{what}: there is nothing to compare")
    met = differences.max() <= TOLERANCE
    print(f"{what}: {differences.size} compared, largest difference {differences.max():.2e}, mean {differences.mean():.2e}"
          f"{'' if met else f': beyond {TOLERANCE}'}")
    return met


def rows(text, path):
    stories = [story.strip() for story in open(text, encoding="utf-8").read().split("<|endoftext|>")]
    with open(path, "w", encoding="utf-8") as file:
        for words in (story.split(" ") for story in stories):
            # Short enough for the context, and of different lengths.
            for start in range(0, len(words) - 20, 60):
                part = words[start:start + 20 + start % 40]
                file.write(json.dumps({"prompt": " ".join(part[:6]), "response": " " + " ".join(part[6:])}) + "\n")


def ids_of_texts(tokenizer):
    """The ids whose text no other id has: a server that answers by text tells no more."""
    vocabulary = json.load(open(f"{tokenizer}/tokenizer.json", encoding="utf-8"))["model"]["vocab"]
    special = {"<unk>", "<s>", "</s>"}
    ids = {}
    for token, number in vocabulary.items():
        byte = re.fullmatch("<0x(..)>", token)
        text = bytes.fromhex(byte[1]).decode(errors="ignore") if byte else "" if token in special else token.replace("▁", " ")
        ids.setdefault(text, []).append(number)
    return {text: numbers[0] for text, numbers in ids.items() if len(numbers) == 1}


def ask(url, text, k):
    body = json.dumps({"prompt": text, "max_tokens": 1, "echo": True, "logprobs": k, "temperature": 0}).encode()
    request = urllib.request.Request(f"{url}/v1/completions", body, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=600))["choices"][0]["logprobs"]


def server(url, tokenizer, rows, cache):
    ids, samples, tokens = ids_of_texts(tokenizer), {}, 0
    for sample in decant_cache.open(cache):
        samples[tuple(sample.token_ids[1:-1].tolist())] = sample
    kept, targets, shifts = [], [], {-1: [], 0: [], 1: []}
    for line in open(rows, encoding="utf-8"):
        row = json.loads(line)
        answer = ask(url, row["prompt"] + row["response"], 64)
        # <s> is not among the tokens, a generated one stands behind them: entry i is of token i, after i - 1 and <s>.
        asked = [ids.get(text) for text in answer["tokens"][:-1]]
        sample = next((s for key, s in samples.items() if len(key) == len(asked) and all(
            a is None or a == b for a, b in zip(asked, key))), None)
        if sample is None:
            sys.exit(f"{row['prompt']}: the server's tokens are none of the cache: {answer['tokens']}")
        tokens += len(asked)
        for place, position in enumerate(sample.positions.tolist()):
            top = {ids[text]: value for text, value in answer["top_logprobs"][position].items() if text in ids}
            # What llama-cpp-python has of a text twice it says once: of the token that stands there at last.
            here = dict(zip(*map(np.ndarray.tolist, sample.entries(place))))
            kept += [top[i] - here[i] for i in top if i in here]
            if position + 2 < len(sample.token_ids):
                targets.append(answer["token_logprobs"][position] - float(sample.target_logprob[place]))
            for shift, found in shifts.items():
                if 0 < position + 1 + shift < len(sample.token_ids) - 1:
                    best = sorted(top, key=top.get)[-8:]
                    found.append(int(sample.token_ids[position + 1 + shift]) in best)
    shares = ", ".join(f"{shift:+d}: {np.mean(found):.2f}" for shift, found in shifts.items())
    print(f"{tokens} tokens; the share of tokens among the 8 most probable ids, by shift: {shares}")
    return report("server, entries", kept) & report("server, targets", targets)


def caches(first, second):
    """The second cache may lack samples, positions and ids that the first one has."""
    others = {tuple(sample.token_ids.tolist()): sample for sample in decant_cache.open(first)}
    kept, targets, samples = [], [], 0
    for sample in decant_cache.open(second):
        other = others.get(tuple(sample.token_ids.tolist()))
        if other is None:
            sys.exit(f"sample {sample.key} of {second} is not in {first}")
        samples += 1
        place_of = {position: place for place, position in enumerate(other.positions.tolist())}
        for place, position in enumerate(sample.positions.tolist()):
            there = dict(zip(*map(np.ndarray.tolist, other.entries(place_of[position]))))
            for i, value in zip(*map(np.ndarray.tolist, sample.entries(place))):
                if i in there:
                    kept.append(value - there[i])
            # Of the last token a server that is sent texts knows only what is among the most probable.
            if position + 2 < len(sample.token_ids):
                targets.append(float(sample.target_logprob[place]) - float(other.target_logprob[place_of[position]]))
    print(f"{samples} samples of {len(others)}")
    return report("caches, entries", kept) & report("caches, targets", targets)


def read_logits(path):
    """Chunks of token ids, number of the first position that has a row, log-probs [chunk, row, id], which are at the floor.

    Little-endian: `_logits_`, int32 n_ctx, V, chunks; int32 tokens of all chunks. Then of each chunk n_ctx - 1 - n_ctx / 2 rows,
    from position n_ctx / 2 to the last but one, row j being of the token after position n_ctx / 2 + j: two floats, step and
    minimum, and V codes of 16 bits, one more where V is odd: log p = step code + minimum. Logits more than 16 nats below the
    greatest have code 0, the floor. The first token of a chunk is evaluated as BOS where the vocabulary adds one; the file has
    the text's own token.
    """
    data = open(path, "rb").read()
    if data[:8] != b"_logits_":
        sys.exit(f"{path}: does not begin with _logits_")
    context, vocabulary, chunks = np.frombuffer(data, "<i4", 3, 8).tolist()
    tokens = np.frombuffer(data, "<i4", chunks * context, 20).reshape(chunks, context)
    first, width = context // 2, 2 * ((vocabulary + 1) // 2) + 4
    codes = np.frombuffer(data, "<u2", -1, 20 + tokens.nbytes).reshape(chunks, context - 1 - first, width)
    step, least = np.moveaxis(np.ascontiguousarray(codes[..., :4]).view("<f4"), -1, 0)
    codes = codes[..., 4:4 + vocabulary]
    return tokens, first, step[..., None] * codes + least[..., None], codes == 0


def logits(path, model):
    tokens, first, logprobs, floor = read_logits(path)
    bos = json.load(open(f"{model}/config.json"))["bos_token_id"]
    chunks, most = len(tokens), logprobs.max(-1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        windows, texts = tokens.copy(), decoded(model, tokens)
        windows[:, 0] = bos
        with open(f"{folder}/rows.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        subprocess.run(
            [DECANT, "precompute", "--teacher", model, "--data", f"{folder}/rows.jsonl", "--cache", f"{folder}/cache",
             "--top-k", str(min(64, logprobs.shape[-1])), "--codec", "exact"], check=True, capture_output=True)
        samples = {tuple(s.token_ids.tolist()): s for s in decant_cache.open(f"{folder}/cache")}
    kept, targets, found = [], [], 0
    for chunk, window in enumerate(windows.tolist()):
        # A window that begins inside a word has other tokens when its text is encoded anew: there is no such sample.
        sample = samples.get(tuple(window))
        if sample is None:
            continue
        found += 1
        for row in range(logprobs.shape[1]):
            place = sample.positions.tolist().index(first + row)
            ids, values = sample.entries(place)
            above = ~floor[chunk, row, ids]
            kept += (logprobs[chunk, row, ids] - values)[above].tolist()
            if not floor[chunk, row, window[first + row + 1]]:
                targets.append(logprobs[chunk, row, window[first + row + 1]] - sample.target_logprob[place])
    mass = np.exp(logprobs.astype(np.float64)).sum(-1)
    hits = [np.mean([tokens[c, first + j + 1 + shift] in np.argsort(-logprobs[c, j])[:8]
                     for c in range(chunks) for j in range(logprobs.shape[1] - 1)]) for shift in (-1, 0, 1)]
    print(f"{chunks} chunks, {found} compared; rows sum to {mass.min():.5f} ... {mass.max():.5f}; "
          f"{floor.mean():.0%} of the codes are the floor, {float((most - logprobs).max()):.2f} nats below the greatest; "
          f"tokens among the 8 most probable at shifts -1, 0, 1: {', '.join(f'{hit:.2f}' for hit in hits)}")
    return report("logits file, entries", kept) & report("logits file, targets", targets)


def imported(path, cache, model):
    """What `cache import` made of a logits file: the windows with their BOS, the entries above the floor, their order."""
    tokens, first, logprobs, floor = read_logits(path)
    windows = tokens.copy()
    windows[:, 0] = json.load(open(f"{model}/config.json"))["bos_token_id"]
    chunk_of = {tuple(window): chunk for chunk, window in enumerate(windows.tolist())}
    kept, targets = [], []
    for sample in decant_cache.open(cache):
        chunk = chunk_of.get(tuple(sample.token_ids.tolist()))
        if chunk is None:
            sys.exit(f"sample {sample.key} of {cache} is no window of {path}")
        for place, position in enumerate(sample.positions.tolist()):
            ids, values = sample.entries(place)
            row = logprobs[chunk, position - first]
            kept += (row[ids] - values)[~floor[chunk, position - first, ids]].tolist()
            targets.append(row[sample.token_ids[position + 1]] - sample.target_logprob[place])
    return report("imported, entries", kept) & report("imported, targets", targets)


def decoded(model, tokens):
    """The text of each chunk behind its first token, as the tokenizer of a SentencePiece vocabulary undoes it."""
    names = {number: token for token, number in json.load(open(f"{model}/tokenizer.json"))["model"]["vocab"].items()}
    texts = []
    for chunk in tokens.tolist():
        parts = [bytes.fromhex(name[3:5]) if re.fullmatch("<0x..>", name) else name.replace("▁", " ").encode()
                 for name in (names[number] for number in chunk[1:])]
        texts.append(b"".join(parts).decode(errors="replace").removeprefix(" "))
    return texts


def main():
    verbs = {"rows": rows, "server": server, "caches": caches, "logits": logits, "imported": imported}
    if len(sys.argv) < 2 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    if verbs[sys.argv[1]](*sys.argv[2:]) is False:
        sys.exit(1)


main()
