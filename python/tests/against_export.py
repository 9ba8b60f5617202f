"""Holds decant_cache against an export of the same cache: every number, to the bit.

    python3 against_export.py CACHE EXPORT.jsonl
"""
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import decant_cache  # noqa: E402


def float32(values):
    """What JSON says of fp32 numbers, null being minus infinity. One dimension or two."""
    return np.array([float32(v) if isinstance(v, list) else -np.inf if v is None else v for v in values], np.float32)


def compare(what, read, told):
    told = float32(told) if read.dtype.kind == "f" else np.array(told, np.int64)
    # An export writes both zeros alike.
    same = (read + 0).tobytes() == (told + 0).tobytes() if read.dtype.kind == "f" else np.array_equal(read, told)
    if read.shape != told.shape or not same:
        sys.exit(f"{what}: read {read}, told {told}")


def main(path, export):
    cache = decant_cache.open(path)
    rows = 0
    with open(export, encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    if len(cache) != len(told) or list(cache.keys()) != [line["key"] for line in told]:
        sys.exit(f"{len(cache)} samples read, {len(told)} told, or other keys")
    for sample, line in zip(cache, told):
        what = f"sample {sample.key}"
        if sample.kind != line.get("kind", "top-k"):
            sys.exit(f"{what}: kind {sample.kind}, told {line.get('kind')}")
        positions = line["positions"]
        compare(f"{what}, token ids", sample.token_ids, line["token_ids"])
        compare(f"{what}, asked positions", sample.asked_positions, line["scored_positions"])
        compare(f"{what}, positions", sample.positions, [p["position"] for p in positions])
        compare(f"{what}, tails", sample.tail_logprob, [p["tail_logprob"] for p in positions])
        compare(f"{what}, targets", sample.target_logprob, [p["target_logprob"] for p in positions])
        for row, position in enumerate(positions):
            ids, logprobs = sample.entries(row)
            compare(f"{what}, row {row}, ids", ids, position["ids"])
            compare(f"{what}, row {row}, log-probs", logprobs, position["logprobs"])
            if sample.kind == "sample":
                drawn = sample.inclusion_logprobs[sample.offsets[row]:sample.offsets[row + 1]]
                compare(f"{what}, row {row}, inclusions", drawn, position["inclusion_logprobs"])
        columns = line.get("columns", {})
        if set(sample.columns) != set(columns):
            sys.exit(f"{what}: columns {set(sample.columns)}, told {set(columns)}")
        for name, values in columns.items():
            compare(f"{what}, column {name}", np.atleast_1d(sample.columns[name]), np.atleast_1d(values).tolist())
        rows += len(positions)
    print(f"{len(told)} samples, {rows} positions: equal")


main(*sys.argv[1:])
