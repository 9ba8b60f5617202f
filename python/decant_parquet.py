"""Teacher signals in Parquet files of other tools, as a sealed file for `decant cache import --format sealed`.

    python3 -m decant_parquet FOLDER_OR_FILE ... --output signals.safetensors --teacher-name NAME

Read are, by the columns of the files (pyarrow, and pyyaml for compression_config.yaml: pip install 'decant-cache[parquet]'):

DistillKit, raw         input_ids, token_ids, top_values: log-probs by id; needs --vocabulary-size
DistillKit, compressed  input_ids, compressed_logprobs, bytepacked_indices, with compression_config.yaml beside them or --config
Lightning-OPD           prompt, metadata with response_tokens, teacher_log_probs, loss_mask; needs --tokenizer, which encodes
                        the prompt, and --vocabulary-size. The teacher's log-prob of the token that followed is all there is: each
                        position keeps that id, and its tail is exactly the rest

A row of DistillKit's is of the token after the one that it stands beside; a row that no token follows is left out. A pack, whose
attention_mask numbers its documents, is taken apart. Refused are DistillKit's legacy files (packed_indices, exact_values, coeffs:
logits about their mean, whose normaliser nobody kept) and terms of 16 bits, and whatever sums to more than one.

The tail of a position is one minus what is kept, held between 2^-24 and what the other ids can have, each at most as probable
as the least probable one kept. The target is the log-prob of the next token where it is kept; else it is the bound that is known, the
lesser of the least log-prob kept and the tail. `decant cache info` prints a tokenizer's fingerprint for --tokenizer-fingerprint;
without it, `decant cache import --tokenizer DIR` says which tokenizer it was.
"""
import argparse
import json
import os
import pathlib
import shutil
import struct
import sys
import tempfile

import numpy as np

EXCESS, RESOLUTION = 1e-2, 2.0 ** -24
FIELDS = {
    "token_ids": "I32", "sample_offsets": "I64", "scored_positions": "I32", "position_offsets": "I64", "entry_offsets": "I64",
    "ids": "I32", "logprobs": "F32", "tail_logprob": "F32", "target_logprob": "F32", "kinds": "U8"}
TYPES = {"U8": "u1", "I32": "<i4", "I64": "<i8", "F32": "<f4"}
TOP_K, DERIVED = 0, 4  # kinds, as decant_cache.KINDS counts them


class Refused(Exception):
    """What a file holds is not what can be converted."""


class SealedWriter:
    """Grows a sealed file's arrays on disk, beside it, and puts them together at the end: memory holds a sample."""

    def __init__(self, path, metadata):
        self.path, self.metadata = path, {"format": "decant-sealed/1", **metadata}
        self.files = {name: tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path))) for name in FIELDS}
        self.counts = dict.fromkeys(FIELDS, 0)
        for name in ("sample_offsets", "position_offsets", "entry_offsets"):
            self._add(name, [0])

    def _add(self, name, values):
        values = np.asarray(values, TYPES[FIELDS[name]])
        self.files[name].write(values.tobytes())
        self.counts[name] += values.size

    def append(self, token_ids, positions, counts, ids, logprobs, tail, target, kind):
        """A sample: `counts` entries at each of its positions."""
        self._add("entry_offsets", self.counts["ids"] + np.cumsum(counts, dtype=np.int64))
        for name, values in (
                ("token_ids", token_ids), ("scored_positions", positions), ("ids", ids), ("logprobs", logprobs),
                ("tail_logprob", tail), ("target_logprob", target), ("kinds", [kind])):
            self._add(name, values)
        self._add("sample_offsets", [self.counts["token_ids"]])
        self._add("position_offsets", [self.counts["scored_positions"]])

    def finish(self):
        header, end = {"__metadata__": self.metadata}, 0
        for name in sorted(FIELDS, key=lambda name: -np.dtype(TYPES[FIELDS[name]]).itemsize):  # each on its own border
            start, end = end, end + self.files[name].tell()
            header[name] = {"dtype": FIELDS[name], "shape": [self.counts[name]], "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        partial = f"{self.path}.part"
        with open(partial, "wb") as output:
            output.write(struct.pack("<Q", len(text)) + text)
            for name in list(header)[1:]:
                self.files[name].seek(0)
                shutil.copyfileobj(self.files[name], output, 1 << 20)
        os.replace(partial, self.path)


class Compressed:
    """What compression_config.yaml says of DistillKit's bytes: exact leading values, a curve over the others, residuals of it."""

    WIDTHS = {"float16": "<f2", "float32": "<f4", "float64": "<f8", "bfloat16": "<u2"}

    def __init__(self, path):
        import yaml
        config = yaml.safe_load(pathlib.Path(path).read_text())
        if not isinstance(config, dict) or not {"d", "k", "exact_k"} <= set(config):
            raise Refused(f"{path}: names no d, k and exact_k: the layout is not known")
        self.d, self.k, self.exact = config["d"], config["k"], config["exact_k"]
        self.exact_type = config.get("exact_dtype", "float32")
        self.terms, self.term_type = config.get("polynomial_terms") or [], config.get("term_dtype", "float32")
        self.bins = config.get("residual_bins") or []
        self.delta = config.get("delta_encoding", True)
        types = [self.exact_type, self.term_type, *(bin["scale_dtype"] for bin in self.bins)]
        if unknown := [name for name in types if name not in self.WIDTHS]:
            raise Refused(f"{path}: the type {unknown[0]} is not known")
        if self.terms and self.term_type not in ("float32", "float64"):
            raise Refused(f"{path}: polynomial terms of {self.term_type} are not read")
        rank = np.arange(self.k - self.exact) if not config.get("normalize_t") else np.linspace(0, 1, self.k - self.exact)
        if bad := [term for term in self.terms if term not in ("sqrt", "exp") and not isinstance(term, int)]:
            raise Refused(f"{path}: the polynomial term {bad[0]} is not known")
        # The basis in the type that the coefficients have, as it was when they were applied.
        rank = rank.astype(self.WIDTHS[self.term_type])
        with np.errstate(over="ignore"):
            self.basis = np.stack([getattr(np, t)(rank) if isinstance(t, str) else rank ** t for t in self.terms], -1) if (
                self.terms) else None

    def numbers(self, data, count, kind):
        """So many numbers at the front of each row, and what is behind them."""
        size = np.dtype(self.WIDTHS[kind]).itemsize * count
        values = np.ascontiguousarray(data[:, :size]).view(self.WIDTHS[kind]).reshape(len(data), count)
        if kind == "bfloat16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float64), data[:, size:]

    def logprobs(self, data):
        values, data = self.numbers(data, self.exact, self.exact_type)
        rest = np.zeros((len(data), self.k - self.exact))
        if self.basis is not None:
            terms, data = self.numbers(data, len(self.terms), self.term_type)
            rest += terms @ self.basis.T.astype(np.float64)
        start = 0
        for bin in self.bins:
            bits, count = bin["element_bits"], bin["num_elements"]
            scale, data = self.numbers(data, 1, bin["scale_dtype"])
            size = (bits * count + 7) // 8
            codes, data = unpacked(data[:, :size], bits, count), data[:, size:]
            rest[:, start:start + count] += (2 * codes - 1 if bits == 1 else codes - (1 << bits - 1)) * scale
            start += count
        if data.shape[1]:
            raise Refused(f"{data.shape[1]} bytes of compressed_logprobs are left over: compression_config.yaml is of other files")
        values = np.concatenate([values, rest], 1)
        return np.cumsum(values, 1) if self.delta else values

    def ids(self, data):
        return unpacked(data, int(np.ceil(np.log2(np.float32(self.d)))), self.k)


def unpacked(data, width, count):
    """Whole numbers of so many bits, the most significant first."""
    if data.shape[1] != (width * count + 7) // 8:
        raise Refused(f"{data.shape[1]} bytes where {count} numbers of {width} bits have {(width * count + 7) // 8}")
    bits = np.unpackbits(data, axis=1)[:, :width * count].reshape(len(data), count, width)
    return bits @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))


def table(scalar):
    """A list of lists of one length."""
    lists = scalar.values
    lengths = set(np.diff(lists.offsets.to_numpy()).tolist())
    if lists.null_count or len(lengths) > 1:
        raise Refused("rows are missing, or of different lengths")
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(lists), -1)


def signal(ids, logprobs, following, vocabulary, top_k, renormalise):
    """Counts, ids, log-probs, tails and targets of rows, given the token that follows each."""
    if ids.size and not 0 <= ids.min() <= ids.max() < vocabulary:
        raise Refused(f"the token id {ids.max()} is outside of the vocabulary of {vocabulary}")
    if np.isnan(logprobs).any():
        raise Refused("a log-prob is not a number")
    logprobs = np.asarray(logprobs, np.float64)
    sums = np.exp(np.minimum(logprobs, 700)).sum(1)
    if renormalise:
        logprobs = logprobs - np.log(np.maximum(sums, 1))[:, None]
    elif len(sums) and sums.max() > 1 + EXCESS:
        raise Refused(
            f"probabilities sum to {sums.max():.4g} in {np.mean(sums > 1 + EXCESS):.0%} of the rows: they are logits, or lossy "
            "compression made more of them; with --renormalise such rows are brought to one")
    order = np.lexsort((ids, -logprobs), axis=1)[:, :top_k]
    ids = np.take_along_axis(ids, order, 1)
    logprobs = np.take_along_axis(np.minimum(logprobs, 0), order, 1).astype(np.float32)
    kept = np.isfinite(logprobs)
    counts = kept.sum(1)
    if len(counts) and counts.min() < 1:
        raise Refused("a row has no log-prob that is finite")
    exact = np.where(kept, logprobs, -np.inf).astype(np.float64)
    # Ids of entries that have no mass may be anything: each another number below zero.
    distinct = np.sort(np.where(kept, ids, -1 - np.arange(ids.shape[1])), 1)
    if (distinct[:, 1:] == distinct[:, :-1]).any():
        raise Refused("a row has a token id twice")
    least = np.take_along_axis(exact, counts[:, None] - 1, 1)[:, 0]
    with np.errstate(divide="ignore"):
        tail = np.log(np.minimum((vocabulary - counts) * np.exp(least), np.maximum(1 - np.exp(exact).sum(1), RESOLUTION)))
    is_next = (ids == following[:, None]) & kept
    target = np.where(is_next.any(1), np.where(is_next, exact, -np.inf).max(1), np.minimum(least, tail))
    return counts, ids[kept], logprobs[kept], tail.astype(np.float32), target.astype(np.float32)


def distillkit(batch, writer, options, compressed):
    names = batch.schema.names
    for number in range(batch.num_rows):
        def column(name):
            return batch.column(names.index(name))[number]
        tokens = np.asarray(column("input_ids").values.to_numpy(zero_copy_only=False), np.int64)
        if compressed:
            ids = compressed.ids(table(column("bytepacked_indices")).astype(np.uint8))
            logprobs = compressed.logprobs(table(column("compressed_logprobs")).astype(np.uint8))
        else:
            ids, logprobs = table(column("token_ids")).astype(np.int64), table(column("top_values"))
        if len(ids) != len(logprobs) or ids.shape != logprobs.shape or len(ids) > len(tokens):
            raise Refused(f"{ids.shape} ids and {logprobs.shape} log-probs beside {len(tokens)} tokens")
        documents = np.ones(len(tokens), np.int64)
        if "attention_mask" in names:
            documents = np.asarray(column("attention_mask").values.to_numpy(zero_copy_only=False), np.int64)
        for document in sorted(set(documents.tolist()) - {0}):
            places = np.flatnonzero(documents == document)
            own = tokens[places]
            if options.final_pad is not None and len(own) and own[-1] == options.final_pad:
                own = own[:-1]
            rows = places[:len(own) - 1]
            rows = rows[rows < len(ids)]
            if len(rows):
                vocabulary = compressed.d if compressed else options.vocabulary_size
                writer.append(own, np.arange(len(rows)), *signal(
                    ids[rows], logprobs[rows], own[1:len(rows) + 1], vocabulary, options.top_k, options.renormalise), DERIVED)


def lightning(batch, writer, options, encode):
    for row in batch.to_pylist():
        metadata = row["metadata"]
        if isinstance(metadata, str):
            metadata = json.loads(metadata)
        if not isinstance(row["prompt"], str):
            raise Refused("the prompt is no text: write its messages with the chat template first")
        prompt, response = encode(row["prompt"]), metadata["response_tokens"]
        logprobs = np.array(metadata["teacher_log_probs"], np.float64)
        if len(logprobs) != len(response) or not prompt:
            raise Refused(f"{len(logprobs)} log-probs for a response of {len(response)} tokens, after {len(prompt)} of the prompt")
        if len(logprobs) and not (logprobs <= EXCESS).all():
            raise Refused("a log-prob is above zero, or not a number")
        asked = np.array(metadata.get("loss_mask") or [1] * len(response), bool) & np.isfinite(logprobs)
        positions, target = np.flatnonzero(asked) + len(prompt) - 1, np.minimum(logprobs[asked], 0)
        tail = np.log(np.maximum(-np.expm1(target), RESOLUTION))
        if len(positions):
            writer.append(
                prompt + response, positions, np.ones(len(positions), int), np.array(response)[asked], target, tail, target, TOP_K)


def files_of(paths):
    for path in map(pathlib.Path, paths):
        found = sorted(path.glob("*.parquet"), key=lambda file: (len(file.name), file.name)) if path.is_dir() else [path]
        if not found:
            raise Refused(f"{path}: holds no .parquet file")
        yield from found


def convert(options):
    import pyarrow.parquet
    writer, config, encode, vocabulary = None, None, None, options.vocabulary_size
    for file in files_of(options.input):
        parquet = pyarrow.parquet.ParquetFile(file)
        names = set(parquet.schema_arrow.names)
        if {"input_ids", "compressed_logprobs", "bytepacked_indices"} <= names:
            config = Compressed(options.config or file.parent / "compression_config.yaml")
            vocabulary = config.d
        elif {"packed_indices", "exact_values", "coeffs"} <= names:
            raise Refused(f"{file}: is of DistillKit's legacy layout: logits about their mean, of which no log-probs can be made")
        elif {"prompt", "metadata"} <= names and options.tokenizer:
            import tokenizers
            tokenizer = tokenizers.Tokenizer.from_file(f"{options.tokenizer}/tokenizer.json")
            encode = lambda text: tokenizer.encode(text).ids  # noqa: E731
        elif not {"input_ids", "token_ids", "top_values"} <= names:
            raise Refused(f"{file}: the columns {', '.join(sorted(names))} are no layout that is known"
                          f"{' without --tokenizer' if 'metadata' in names else ''}")
        if vocabulary is None:
            raise Refused(f"{file}: does not say how large the vocabulary is: give --vocabulary-size")
        writer = writer or SealedWriter(options.output, {
            "alignment": "next", "teacher_path": options.teacher_name, "vocabulary_size": str(vocabulary),
            **({"tokenizer": options.tokenizer_fingerprint} if options.tokenizer_fingerprint else {})})
        for batch in parquet.iter_batches(batch_size=64):
            try:
                lightning(batch, writer, options, encode) if encode else distillkit(batch, writer, options, config)
            except Refused as refused:
                raise Refused(f"{file}: {refused}") from None
    writer.finish()
    return writer.counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", help="Parquet files, or folders of them")
    parser.add_argument("--output", required=True, help="the sealed file")
    parser.add_argument("--teacher-name", required=True, help="what the teacher is called in the cache")
    parser.add_argument("--tokenizer-fingerprint", default="", help="32 hexadecimal digits")
    parser.add_argument("--vocabulary-size", type=int)
    parser.add_argument("--config", help="compression_config.yaml")
    parser.add_argument("--tokenizer", help="folder with the tokenizer.json that encodes Lightning-OPD's prompts")
    parser.add_argument("--top-k", type=int, help="keep so many entries of each position at most")
    parser.add_argument("--final-pad", type=int, help="id of the token that DistillKit put behind a text; it is taken off")
    parser.add_argument("--renormalise", action="store_true", help="bring rows that sum to more than one to one")
    try:
        counts = convert(parser.parse_args())
    except Refused as refused:
        sys.exit(f"decant_parquet: {refused}")
    print(f"samples: {counts['kinds']}\npositions: {counts['scored_positions']}\nentries: {counts['ids']}")


if __name__ == "__main__":
    main()
