"""Writes a sealed file with every array that one may have and reads it back.

    python3 sealed_file.py FILE
"""
import json
import pathlib
import struct
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import decant_cache  # noqa: E402

NAMES = {"|u1": "U8", "<i4": "I32", "<i8": "I64", "<f2": "F16", "<f4": "F32"}
ARRAYS = {
    "sample_offsets": np.array([0, 4, 4, 9]), "position_offsets": np.array([0, 2, 2, 5]), "asked_offsets": np.array([0, 3, 3, 6]),
    "entry_offsets": np.array([0, 2, 3, 6, 7, 9]), "token_ids": np.arange(9, dtype="<i4"),
    "scored_positions": np.array([0, 2, 1, 2, 3], "<i4"), "asked_positions": np.array([0, 1, 2, 1, 2, 3], "<i4"),
    "ids": np.arange(20, 29, dtype="<i4"), "tail_logprob": -np.arange(1, 6, dtype="<f4"),
    "target_logprob": -np.arange(6, 11, dtype="<f4"), "inclusion_logprobs": -np.arange(9, dtype="<f4") / 8,
    "column/states": np.arange(10, dtype="<f4").reshape(5, 2), "column/weight": np.array([0.5, 0.25, 2], "<f4"),
    "logprobs": -np.arange(9, dtype="<f2") / 4, "kinds": np.array([4, 0, 2], "u1"),
}


def write(path):
    header, data = {"__metadata__": {"format": "decant-sealed/1", "teacher": "they"}}, b""
    for name, values in ARRAYS.items():
        header[name] = {"dtype": NAMES[values.dtype.str], "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    # The arrays begin on no border.
    text = json.dumps(header).encode() + b" "
    text += b" " * ((1 - len(text)) % 4)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def main(path):
    write(path)
    cache = decant_cache.open(path)
    assert len(cache) == 3 and list(cache.keys()) == [0, 1, 2] and cache.manifest["teacher"] == "they"
    first, empty, last = cache
    assert first.token_ids.tolist() == [0, 1, 2, 3] and first.kind == "top-k-derived" and first.positions.tolist() == [0, 2]
    assert first.asked_positions.tolist() == [0, 1, 2] and first.offsets.tolist() == [0, 2, 3]
    assert len(empty.token_ids) == len(empty.positions) == len(empty.ids) == 0 and empty.kind == "top-k"
    assert last.kind == "sample" and last.offsets.tolist() == [0, 3, 4, 6] and last.token_ids.tolist() == [4, 5, 6, 7, 8]
    ids, logprobs = last.entries(2)
    assert ids.tolist() == [27, 28] and logprobs.tolist() == [-1.75, -2]
    assert last.tail_logprob.tolist() == [-3, -4, -5] and last.target_logprob.tolist() == [-8, -9, -10]
    assert last.inclusion_logprobs.tolist() == [-0.375, -0.5, -0.625, -0.75, -0.875, -1]
    assert last.columns["states"].tolist() == [[4, 5], [6, 7], [8, 9]] and last.columns["weight"] == 2
    assert cache[-1].key == 2
    try:
        cache[3]
        raise AssertionError("there is no fourth sample")
    except IndexError:
        print("read")


main(*sys.argv[1:])
