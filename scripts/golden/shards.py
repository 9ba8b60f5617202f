#!/usr/bin/env python3
"""Golden files of how weights are cut into files: what huggingface_hub makes of sizes of tensors and of size texts, and the
order in which transformers saves the weights of each golden model.

    python scripts/golden/shards.py        (huggingface_hub, torch, transformers)

    Tests/SafeTensorsTests/Golden/shards.json        {"limit", "sizes", "files": {name: [number of a tensor, ...]}} each
    Tests/ModelsTests/Golden/shard_sizes.json        {text: bytes}, null where the text is refused
    Tests/ModelsTests/Golden/saved_order.json        {model: [name of a weight, ...]}
"""

import json
import random
import tempfile
from pathlib import Path

from huggingface_hub.serialization._base import parse_size_to_int, split_state_dict_into_shards_factory
from transformers import AutoConfig, AutoModelForCausalLM

TESTS = Path(__file__).resolve().parents[2] / "Tests"
TEXTS = [
    "5GB", "500MB", "12KB", "2TB", "1.5GB", "0.5KB", ".5MB", "3.MB", " 7GB ", "7 GB", "7gb", "7Gb", "1.0015KB", "1.1GB", "2.3GB",
    "0.0019KB", "007KB", "GB", "", "5", "5B", "5GiB", "5 G B", "1.2.3GB", "1,5GB", "5G", "five GB", ".GB", "--5GB", "5GBGB",
]


def split(sizes, limit):
    tensors = {str(number): size for number, size in enumerate(sizes)}
    found = split_state_dict_into_shards_factory(
        tensors, get_storage_size=lambda size: size, filename_pattern="model{suffix}.safetensors", max_shard_size=limit)
    files = {name: [int(key) for key in keys] for name, keys in found.filename_to_tensors.items()}
    return {"limit": limit, "sizes": sizes, "files": files}


def parsed(text):
    try:
        return parse_size_to_int(text)
    except ValueError:
        return None


def saved_order(folder):
    """Each weight has a file of its own, numbered in the order of the model's modules. The model is made, not loaded: one
    that it has loaded transformers saves in the order of names."""
    with tempfile.TemporaryDirectory() as scratch:
        AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(scratch, max_shard_size=1)
        places = json.loads((Path(scratch) / "model.safetensors.index.json").read_text())["weight_map"]
    return sorted(places, key=places.get)


if __name__ == "__main__":
    random.seed(1)
    cases = [split([6, 6, 2, 6, 2, 2], 10), split([10, 10, 1], 10), split([11, 3, 11, 3], 10), split([3, 11], 10)]
    cases += [split([11], 10), split([4, 4], 8), split([1] * 12, 1), split([0, 5, 0, 5, 0], 5)]
    for _ in range(40):
        limit = random.randint(1, 60)
        cases.append(split([random.randint(0, 40) for _ in range(random.randint(1, 30))], limit))
    lines = ",\n".join(json.dumps(case) for case in cases)
    (TESTS / "SafeTensorsTests/Golden/shards.json").write_text(f"[\n{lines}\n]\n")
    texts = json.dumps({text: parsed(text) for text in TEXTS}, indent=1)
    (TESTS / "ModelsTests/Golden/shard_sizes.json").write_text(texts + "\n")
    folders = sorted(path.parent for path in (TESTS / "ModelsTests/Golden").glob("*/config.json"))
    orders = json.dumps({folder.name: saved_order(folder) for folder in folders}, indent=1)
    (TESTS / "ModelsTests/Golden/saved_order.json").write_text(orders + "\n")
