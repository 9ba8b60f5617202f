"""Decant's logit caches and sealed files, read with numpy.

    cache = decant_cache.open("cache/")               # a cache's folder, or a sealed file
    for sample in cache:                              # by ascending key; cache[key] is one
        ids, logprobs = sample.entries(0)             # of the token after sample.token_ids[sample.positions[0]]

`python3 -m decant_cache CACHE` prints what there is. The layout is that of docs/formats.md; every number is the one
that `decant cache export` prints, to the bit. Checksums are not compared: `decant cache verify` does that.
"""
import heapq
import io
import itertools
import json
import os
import struct
import sys
from dataclasses import dataclass, field

import numpy as np

from decant_signal import KINDS, Bits, Damaged, Reader, read_column, read_input, read_signal


@dataclass
class Sample:
    """A sample and what the teacher thinks of its next tokens, in natural logarithms; entries and tail sum to one."""
    key: object  # 32 hexadecimal digits; the number of the sample in a sealed file
    token_ids: np.ndarray
    asked_positions: np.ndarray  # those that were asked about
    positions: np.ndarray  # those of them with a signal: row r is of the token after token_ids[positions[r]]
    kind: str  # one of KINDS
    offsets: np.ndarray  # row r has the entries offsets[r] up to offsets[r + 1]
    ids: np.ndarray  # of the entries of all rows, as are the log-probs
    logprobs: np.ndarray  # descending within a row; where kind is "sample", ids ascend
    tail_logprob: np.ndarray  # one a row: of all ids that are not kept
    target_logprob: np.ndarray  # one a row: of the token that follows
    inclusion_logprobs: np.ndarray = None  # where kind is "sample": of the probability that each id was drawn
    columns: dict = field(default_factory=dict)  # by name, an array: a value a row, or one of the sample
    input: tuple = ()  # ("mixture", key, key, share) or ("twin", key, name, size, seed): what the teacher was given

    def entries(self, row):
        """Ids and log-probs of a row."""
        part = slice(self.offsets[row], self.offsets[row + 1])
        return self.ids[part], self.logprobs[part]


def open(path):
    """The samples of a cache's folder or of a sealed file: `manifest`, `len`, `keys()`, iteration and `[key]`."""
    return Cache(path) if os.path.isdir(path) else Sealed(path)


class _Samples:
    def __iter__(self):
        return map(self.__getitem__, self.keys())

    def __reduce__(self):  # another process opens the path for itself
        return type(self), (self.path,)


class Cache(_Samples):
    """A cache's folder, which may be written meanwhile. Each process, a forked one too, opens the stores for itself."""

    def __init__(self, path):
        self.path, self._process = path, None
        with io.open(os.path.join(path, "manifest.json"), encoding="utf-8") as file:
            self.manifest = json.load(file)
        if self.manifest["format_version"] not in (1, 2):
            raise Damaged(f"{path}: format version {self.manifest['format_version']} is not known, only 1 and 2")

    def stores(self):
        """Environment, index and records of each shard."""
        if self._process != os.getpid():
            self._stores = [_store(os.path.join(self.path, name)) for name in self.manifest["shards"]]
            self._process = os.getpid()
        return self._stores

    def keys(self):
        """The key of every sample once, ascending."""
        return (key.hex() for key, _ in itertools.groupby(heapq.merge(*(_keys(*store) for store in self.stores()))))

    def __len__(self):
        return sum(1 for _ in self.keys())

    def __getitem__(self, key):
        wanted = bytes.fromhex(key)
        for environment, index, records in self.stores():
            try:
                with environment.begin(buffers=True) as transaction:
                    place = transaction.get(wanted, db=index)
                    if place is None:
                        continue
                    number, offset, length = struct.unpack(">8sII", place)
                    payload = bytes(transaction.get(number, b"", db=records)[offset:offset + length])
                return _sample(key, payload)
            except (IndexError, OverflowError, ValueError, struct.error) as error:
                raise Damaged(f"{self.path}: sample {key}: {error}; decant cache verify tells more") from error
        raise KeyError(key)


def _store(folder):
    import lmdb  # which sealed files do without
    # As large as its file where address space is short, without its table of readers where that cannot be written.
    for lock, size in itertools.product((True, False), (0, os.path.getsize(os.path.join(folder, "data.mdb")))):
        try:
            environment = lmdb.open(folder, readonly=True, create=False, max_dbs=4, map_size=size, lock=lock)
            break
        except lmdb.Error as error:
            refused = error
    else:
        raise refused
    return environment, environment.open_db(b"samples", create=False), environment.open_db(b"records", create=False)


def _keys(environment, index, _):
    key = b""
    while key is not None:
        with environment.begin(index) as transaction, transaction.cursor() as cursor:
            found = list(itertools.islice(cursor.iternext(values=False), 512)) if cursor.set_range(key) else []
        yield from found
        key = found[-1] + b"\0" if len(found) == 512 else None  # the least key after the last


def _sample(key, data):
    reader = Reader(data)
    mark, version = reader.take("BB")
    if mark != 0xD6 or version not in (1, 2):
        raise Damaged(f"it is no sample of version 1 or 2: {data[:2].hex()}")
    flags, _ = (reader.take("B"), reader.varint()) if version == 2 else (0, 0)
    count = reader.count()
    prompt = reader.count() if version == 1 else 0
    width = reader.count()
    token_ids = Bits(data[reader.at:]).field(np.arange(count) * width, width).astype(np.int32)
    reader.at += (count * width + 7) // 8
    asked = reader.positions() if version == 2 else np.arange(max(prompt, 1) - 1, max(count, 1) - 1)
    positions = reader.positions() if flags & 1 else asked
    source = read_input(reader) if flags & 2 else ()
    columns = dict(read_column(reader, len(positions)) for _ in range(reader.count())) if flags & 4 else {}
    kind, offsets, *arrays = read_signal(reader)
    if len(offsets) != len(positions) + 1:
        raise Damaged(f"{len(offsets) - 1} rows of a signal for {len(positions)} positions")
    return Sample(key, token_ids, asked, positions, kind, offsets, *arrays, columns, source)


class Sealed(_Samples):
    """A sealed file, mapped: samples by number, their arrays views of it."""

    def __init__(self, path):
        self.path = path
        with io.open(path, "rb") as file:
            start = 8 + struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(start - 8))
        self.manifest = header.pop("__metadata__", {})
        if self.manifest.get("format") != "decant-sealed/1":
            raise Damaged(f"{path}: is no sealed file of format decant-sealed/1")
        types = {"U8": "u1", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4"}
        data = np.memmap(path, np.uint8, "r")
        self.arrays = {name: data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]]
                       .view(types[entry["dtype"]]).reshape(entry["shape"]) for name, entry in header.items()}

    def keys(self):
        """The number of every sample."""
        return range(len(self))

    def __len__(self):
        return len(self.arrays["sample_offsets"]) - 1

    def __getitem__(self, number):
        arrays, number = self.arrays, self.keys()[number]
        part = lambda offsets: slice(*arrays[offsets][number:number + 2].tolist())  # noqa: E731
        rows = part("position_offsets")
        offsets = arrays["entry_offsets"][rows.start:rows.stop + 1]
        entries, positions = slice(offsets[0], offsets[-1]), arrays["scored_positions"][rows]
        asked = arrays["asked_positions"][part("asked_offsets")] if "asked_offsets" in arrays else positions
        kind = KINDS[arrays["kinds"][number] if "kinds" in arrays else 0]
        columns = {name[7:]: values[rows] if len(values) == len(arrays["scored_positions"]) else values[number]
                   for name, values in arrays.items() if name.startswith("column/")}
        return Sample(
            number, arrays["token_ids"][part("sample_offsets")], asked, positions, kind, offsets - offsets[0],
            arrays["ids"][entries], arrays["logprobs"][entries], arrays["tail_logprob"][rows], arrays["target_logprob"][rows],
            arrays["inclusion_logprobs"][entries] if kind == "sample" else None, columns)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cache = open(sys.argv[1])
    samples, tokens, rows, entries, total, kinds = 0, 0, 0, 0, 0.0, set()
    for sample in cache:
        samples, tokens = samples + 1, tokens + len(sample.token_ids)
        rows, entries = rows + len(sample.positions), entries + len(sample.ids)
        total -= float(sample.target_logprob.sum(dtype=np.float64))
        kinds.add(sample.kind)
    for name in ("teacher_path", "teacher", "tokenizer", "codec", "top_k", "vocabulary_size"):
        print(f"{name}: {cache.manifest.get(name)}")
    print(f"kinds: {' '.join(sorted(kinds))}\nsamples: {samples}\ntokens: {tokens}\npositions: {rows}, {entries} entries\n"
          f"nll: {total / max(rows, 1):.4f}")


if __name__ == "__main__":
    main()
