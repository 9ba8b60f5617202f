"""python/decant_parquet.py on Parquet files written here by what is known of DistillKit's and Lightning-OPD's layouts."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from common import ROOT, SHARED, Row

sys.path.insert(0, str(ROOT / "python"))
VOCABULARY, K = 300, 24
CODECS = {
    # Of every kind of part: exact values alone; residuals of several widths; a curve with residuals; differences.
    "exact": dict(exact_k=24, exact_dtype="float32", residual_bins=[], delta_encoding=False),
    "residuals": dict(
        exact_k=4, exact_dtype="float16", delta_encoding=False, residual_bins=[
            dict(scale_dtype="float32", element_bits=7, num_elements=13), dict(scale_dtype="bfloat16", element_bits=5, num_elements=7)]),
    "curve": dict(
        exact_k=8, exact_dtype="bfloat16", polynomial_terms=[0, 1, 2, "sqrt"], term_dtype="float32", normalize_t=True,
        delta_encoding=False, residual_bins=[dict(scale_dtype="float16", element_bits=8, num_elements=16)]),
    "differences": dict(
        exact_k=6, exact_dtype="float32", delta_encoding=True, polynomial_terms=[0, 1], term_dtype="float64",
        residual_bins=[dict(scale_dtype="float32", element_bits=16, num_elements=18)]),
    "one-bit": dict(
        exact_k=22, exact_dtype="float32", delta_encoding=False,
        residual_bins=[dict(scale_dtype="float32", element_bits=1, num_elements=2)]),
}


def conversion():
    try:
        import pyarrow  # noqa: F401
        import yaml  # noqa: F401
    except ImportError:
        yield Row("parquet", "skipped: pyarrow and pyyaml are not there")
        return
    rng = np.random.default_rng(5)
    texts = [rng.integers(0, VOCABULARY, n) for n in (2, 9, 40, 17)]
    signals = [draw(rng, len(text), text) for text in texts]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield raw(folder, texts, signals)
        yield packed(folder, texts, signals)
        for codec, config in CODECS.items():
            yield compressed(folder, codec, config, texts, signals)
        yield lightning(folder, rng)
        yield refusals(folder, texts, signals)


def draw(rng, rows, text):
    """Ids and log-probs of the most probable of random distributions, in which what follows is often likely."""
    logits = rng.normal(0, 3, (rows, VOCABULARY))
    logits[np.arange(rows - 1), text[1:]] += 6 * (rng.random(rows - 1) < 0.7)
    logprobs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    ids = np.argsort(-logprobs, 1)[:, :K]
    return ids, np.take_along_axis(logprobs, ids, 1).astype(np.float32)


def write(path, columns, types):
    import pyarrow
    import pyarrow.parquet
    path.parent.mkdir(exist_ok=True)
    lists = {"tokens": pyarrow.list_(pyarrow.uint64()), "bytes": pyarrow.list_(pyarrow.list_(pyarrow.uint8())),
             "ids": pyarrow.list_(pyarrow.list_(pyarrow.uint64())), "values": pyarrow.list_(pyarrow.list_(pyarrow.float32()))}
    pyarrow.parquet.write_table(pyarrow.table({
        key: pyarrow.array([np.asarray(row).tolist() for row in rows], lists[types[key]]) for key, rows in columns.items()}), path)


def convert(*words, expecting=0):
    done = subprocess.run(
        [sys.executable, str(ROOT / "python/decant_parquet.py"), *map(str, words), "--teacher-name", "they"], capture_output=True,
        text=True)
    if done.returncode != expecting:
        sys.exit(f"decant_parquet {words} ended with {done.returncode}: {done.stderr}")
    return done.stderr


def samples(path):
    import decant_cache
    cache = decant_cache.open(str(path))
    assert cache.manifest["teacher_path"] == "they" and cache.manifest["vocabulary_size"] == str(VOCABULARY)
    return list(cache)


def difference(sample, text, ids, logprobs):
    """Largest one between a sample and what it was written from; infinite where it is another sample."""
    rows = len(text) - 1
    if sample.token_ids.tolist() != list(text) or sample.positions.tolist() != list(range(rows)) or sample.kind != "top-k-derived":
        return np.inf
    worst = 0.0
    for row in range(rows):
        kept, values = sample.entries(row)
        expected = dict(zip(ids[row].tolist(), logprobs[row].astype(np.float64).tolist()))
        if set(kept.tolist()) != set(expected) or (np.diff(values) > 0).any():
            return np.inf
        worst = max(worst, *(abs(value - expected[i]) for i, value in zip(kept.tolist(), values.tolist())))
        most = (VOCABULARY - len(kept)) * np.exp(float(values[-1]))
        tail = np.log(min(most, max(1 - np.exp(values.astype(np.float64)).sum(), 2.0 ** -24)))
        target = dict(zip(kept.tolist(), values.tolist())).get(text[row + 1], min(float(values[-1]), tail))
        worst = max(worst, abs(tail - sample.tail_logprob[row]), abs(target - sample.target_logprob[row]))
    return worst


def row(what, worst, target=1e-6):
    return Row(f"parquet, {what}: log-probs, tails, targets", f"{worst:.1e} nats", f"{target:.0e}", bool(worst <= target))


def raw(folder, texts, signals):
    # As many rows as tokens, and one fewer: the last is of a token that nothing follows.
    write(folder / "raw/data_0.parquet", {
        "input_ids": texts[:2], "token_ids": [ids for ids, _ in signals[:2]], "top_values": [v for _, v in signals[:2]]},
        {"input_ids": "tokens", "token_ids": "ids", "top_values": "values"})
    write(folder / "raw/data_1.parquet", {
        "input_ids": texts[2:], "token_ids": [ids[:-1] for ids, _ in signals[2:]], "top_values": [v[:-1] for _, v in signals[2:]]},
        {"input_ids": "tokens", "token_ids": "ids", "top_values": "values"})
    convert(folder / "raw", "--output", folder / "raw.safetensors", "--vocabulary-size", VOCABULARY)
    found = samples(folder / "raw.safetensors")
    return row("raw", max(difference(s, t, *v) for s, t, v in zip(found, texts, signals, strict=True)))


def packed(folder, texts, signals):
    joined = [np.concatenate(parts) for parts in (texts, [ids for ids, _ in signals], [v for _, v in signals])]
    mask = np.concatenate([np.full(len(text), number + 1) for number, text in enumerate(texts)])
    write(folder / "packed/data_0.parquet", dict(zip(["input_ids", "token_ids", "top_values", "attention_mask"], [
        [part] for part in (*joined, mask)])), {
            "input_ids": "tokens", "token_ids": "ids", "top_values": "values", "attention_mask": "tokens"})
    convert(folder / "packed", "--output", folder / "packed.safetensors", "--vocabulary-size", VOCABULARY)
    found = samples(folder / "packed.safetensors")
    return row("raw, packed", max(difference(s, t, *v) for s, t, v in zip(found, texts, signals, strict=True)))


def compressed(folder, codec, config, texts, signals):
    import yaml
    config = dict(d=VOCABULARY, k=K, error_diffusion=False, **config)
    pairs = [encode(config, values) for _, values in signals]
    write(folder / codec / "data_0.parquet", {
        "input_ids": texts, "compressed_logprobs": [data for data, _ in pairs],
        "bytepacked_indices": [pack(ids, 9) for ids, _ in signals]},
        {"input_ids": "tokens", "compressed_logprobs": "bytes", "bytepacked_indices": "bytes"})
    (folder / codec / "compression_config.yaml").write_text(yaml.safe_dump(config))
    output = folder / f"{codec}.safetensors"
    convert(folder / codec, "--output", output, "--renormalise")
    worst = 0.0
    for sample, text, (ids, _), (_, decoded) in zip(samples(output), texts, signals, pairs, strict=True):
        decoded = np.minimum(decoded - np.log(np.maximum(np.exp(decoded).sum(1, keepdims=True), 1)), 0)
        worst = max(worst, difference(sample, text, ids, decoded))
    lost = max(np.abs(decoded - values).max() for (_, decoded), (_, values) in zip(pairs, signals))
    return row(f"compressed, {codec} (the codec itself lost {lost:.0e})", worst, 2e-5)


def stored(values, kind):
    """Bytes of numbers in a type, row by row, and the numbers that they are."""
    if kind == "bfloat16":
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        halves = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
        return halves.view(np.uint8).reshape(len(values), -1), (halves.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    values = np.ascontiguousarray(values, kind)
    return values.view(np.uint8).reshape(len(values), -1), values.astype(np.float64)


def pack(numbers, width):
    bits = (np.asarray(numbers, np.int64)[..., None] >> np.arange(width - 1, -1, -1) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(len(numbers), -1), axis=1)


def encode(config, values):
    """The bytes of rows, and the log-probs that they stand for."""
    values = values.astype(np.float64)
    if config["delta_encoding"]:
        values = np.diff(values, axis=1, prepend=0)
    data, exact = stored(values[:, :config["exact_k"]], config["exact_dtype"])
    data, rest = [data], values[:, config["exact_k"]:]
    decoded = np.zeros(rest.shape)
    if terms := config.get("polynomial_terms"):
        count = rest.shape[1]
        rank = np.linspace(0, 1, count) if config.get("normalize_t") else np.arange(count)
        basis = np.stack([np.sqrt(rank) if term == "sqrt" else rank.astype(float) ** term for term in terms], 1)
        coefficients = np.linalg.lstsq(basis, rest.T, rcond=None)[0].T
        part, coefficients = stored(coefficients, config["term_dtype"])
        data.append(part)
        decoded = coefficients @ basis.T
    start = 0
    for bin in config["residual_bins"]:
        bits, piece = bin["element_bits"], slice(start, start + bin["num_elements"])
        residual, steps = (rest - decoded)[:, piece], 1 if bin["element_bits"] == 1 else 2 ** (bin["element_bits"] - 1)
        part, scale = stored(np.abs(residual).max(1, keepdims=True) / steps + 1e-6, bin["scale_dtype"])
        if bits == 1:
            codes = (residual > 0).astype(np.int64)
            decoded[:, piece] += (2 * codes - 1) * scale
        else:
            codes = np.clip(np.round(residual / scale), -steps, steps - 1).astype(np.int64)
            decoded[:, piece] += codes * scale
            codes += steps
        data += [part, pack(codes, bits)]
        start += bin["num_elements"]
    decoded = np.concatenate([exact, decoded], 1)
    return np.concatenate(data, 1), np.cumsum(decoded, 1) if config["delta_encoding"] else decoded


def lightning(folder, rng):
    import pyarrow
    import pyarrow.parquet
    import tokenizers
    tokenizer = SHARED / "data/models/stories260K"
    if not tokenizer.exists():
        return Row("parquet, Lightning-OPD", "skipped: DECANT_SHARED is not there")
    prompts, worst = ["Once upon a time", "Tom had a red ball."], 0.0
    encode = tokenizers.Tokenizer.from_file(str(tokenizer / "tokenizer.json")).encode
    responses = [rng.integers(3, VOCABULARY, n).tolist() for n in (5, 12)]
    logprobs = [np.log(rng.random(len(response))).tolist() for response in responses]
    masks = [[1] * 5, [0, 1] * 6]
    pyarrow.parquet.write_table(pyarrow.table({
        "prompt": prompts, "label": ["", ""], "metadata": [
            dict(is_lightning_opd=True, response_tokens=r, loss_mask=m, response="", teacher_log_probs=p)
            for r, m, p in zip(responses, masks, logprobs)]}), folder / "lightning.parquet")
    convert(folder / "lightning.parquet", "--output", folder / "lightning.safetensors", "--tokenizer", tokenizer,
            "--vocabulary-size", VOCABULARY)
    for sample, prompt, response, mask, values in zip(
            samples(folder / "lightning.safetensors"), prompts, responses, masks, logprobs, strict=True):
        ids = encode(prompt).ids
        asked = [place for place, is_asked in enumerate(mask) if is_asked]
        if sample.token_ids.tolist() != ids + response or sample.positions.tolist() != [len(ids) - 1 + j for j in asked]:
            worst = np.inf
            continue
        expected = np.array(values)[asked]
        mass = np.exp(sample.logprobs.astype(np.float64)) + np.exp(sample.tail_logprob.astype(np.float64))
        worst = max(worst, np.abs(sample.target_logprob - expected).max(), np.abs(sample.logprobs - expected).max(),
                    np.abs(mass - 1).max())
        if sample.ids.tolist() != [response[j] for j in asked]:
            worst = np.inf
    return row("Lightning-OPD", worst)


def refusals(folder, texts, signals):
    """What must end with a message that says what it is."""
    columns = {"input_ids": texts[:1], "packed_indices": [signals[0][0]], "exact_values": [signals[0][1]], "coeffs": [signals[0][1]]}
    write(folder / "legacy.parquet", columns, {
        "input_ids": "tokens", "packed_indices": "ids", "exact_values": "values", "coeffs": "values"})
    write(folder / "logits.parquet", {
        "input_ids": texts[:1], "token_ids": [signals[0][0]], "top_values": [signals[0][1] + 9]},
        {"input_ids": "tokens", "token_ids": "ids", "top_values": "values"})
    write(folder / "other.parquet", {"input_ids": texts[:1]}, {"input_ids": "tokens"})
    config = json.loads(json.dumps(CODECS["exact"])) | dict(d=VOCABULARY, k=K + 1)
    (folder / "wrong.json").write_text(json.dumps(config))
    cases = [
        ("legacy", "legacy.parquet", [], "legacy layout"), ("logits", "logits.parquet", [], "they are logits"),
        ("columns", "other.parquet", [], "no layout that is known"),
        ("configuration", "exact", ["--config", folder / "wrong.json"], "bytes where")]
    told = [name for name, path, words, says in cases if says in convert(
        folder / path, "--output", folder / "none.safetensors", "--vocabulary-size", VOCABULARY, *words, expecting=1)]
    left = (folder / "none.safetensors").exists()
    return Row("parquet, refused by name", ", ".join(told), "all", len(told) == len(cases) and not left)
