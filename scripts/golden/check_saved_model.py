#!/usr/bin/env python3
"""Checks that transformers loads what Decant saves, warns of nothing, and computes the same logits.

    DECANT_SAVED_MODELS=/tmp/saved swift test -c release --filter ModelsTests
    python scripts/golden/check_saved_model.py /tmp/saved/*

Each folder holds a saved model and decant_logits.json: {"sequences": [[id, ...], ...], "logits": [...]}, the logits of
all rows one after the other; of an encoder (DECANT_SAVED_ENCODERS) decant_hidden.json, with "hidden" in their place. Exit
status 1 where a difference exceeds 1e-4 or a weight is missing or left over; a pooler alone may be missing.

    python scripts/golden/check_saved_model.py --convert .build/release/decant Tests/ModelsTests/Golden/*/

Each folder holds a model, which `decant convert` writes in every type, in one file and in shards. Its files of weights
and their index must be those that transformers saves, byte for byte; every key of config.json but that of the type must
be as it was; and loaded again in fp32, in transformers, it must have the logits of the original (of the original rounded
by PyTorch, for a narrower type) to 1e-4.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

TOLERANCE = 1e-4
TYPES = ["auto", "float32", "bfloat16", "float16", "float64"]


def logits_of(model, sequences):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([s])).logits[0] for s in sequences]).flatten()


def load(folder, **options):
    """A model, and what transformers found missing, left over or of another shape."""
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, **options)
    return model.eval(), {kind: names for kind, names in info.items() if names}


def is_encoder(folder):
    return json.loads((folder / "config.json").read_text())["model_type"] == "bert"


def check_encoder(folder):
    export = json.loads((folder / "decant_hidden.json").read_text())
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    trouble = {kind: names for kind, names in info.items() if [n for n in names if not n.startswith("pooler.")]}
    with torch.no_grad():
        hidden = torch.cat([model.eval()(torch.tensor([s])).last_hidden_state[0] for s in export["sequences"]]).flatten()
    gap = (hidden - torch.tensor(export["hidden"])).abs().max().item()
    good = gap <= TOLERANCE and not trouble and model.dtype == torch.float32
    print(f"{'ok' if good else 'WRONG'}: {folder.name}: largest difference {gap:.2e}, {model.dtype} {trouble or ''}")
    return good


def check(folder):
    if is_encoder(folder):
        return check_encoder(folder)
    export = json.loads((folder / "decant_logits.json").read_text())
    model, trouble = load(folder)
    gap = (logits_of(model, export["sequences"]) - torch.tensor(export["logits"])).abs().max().item()
    good = gap <= TOLERANCE and not trouble and model.dtype == torch.float32
    print(f"{'ok' if good else 'WRONG'}: {folder.name}: largest difference {gap:.2e}, {model.dtype} {trouble or ''}")
    return good


def weights_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("model*.safetensors*")}


def store(model, dtype):
    """Rounds the parameters, and nothing else: `to` would round the rotary frequencies, which are no weights, as well."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def reference_of(original, dtype):
    """The same model as one that was made, not loaded: one that it has loaded transformers cuts in another order."""
    reference = AutoModelForCausalLM.from_config(original.config, dtype=torch.float32)
    reference.load_state_dict(original.state_dict())
    store(reference, dtype)
    return reference.eval()


def check_conversion(decant, folder, dtype, size, scratch):
    ours, theirs = scratch / "ours", scratch / "theirs"
    subprocess.run(
        [decant, "convert", "--model", folder, "--output", ours, "--dtype", dtype, "--max-shard-size", size],
        check=True, capture_output=True)
    original, _ = load(folder, dtype=torch.float32)
    stored = json.loads((folder / "config.json").read_text())["dtype"] if dtype == "auto" else dtype
    reference = reference_of(original, getattr(torch, stored))
    reference.save_pretrained(theirs, max_shard_size=size)
    faults = []
    found, expected = weights_of(ours), weights_of(theirs)
    if found != expected:
        differing = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        faults.append(f"not as transformers saves it: {differing}")
    before, after = (json.loads((place / "config.json").read_text()) for place in (folder, ours))
    if list(before.items()) != [(k, before["dtype"] if k == "dtype" else v) for k, v in after.items()]:
        faults.append("config.json has other keys")
    if after["dtype"] != stored or AutoConfig.from_pretrained(ours).dtype != getattr(torch, stored):
        faults.append(f"config.json says {after['dtype']}, not {stored}")
    model, trouble = load(ours, dtype=torch.float32)
    if trouble:
        faults.append(f"loads with {trouble}")
    torch.manual_seed(1)
    sequences = [torch.randint(original.config.vocab_size, (n,)).tolist() for n in (1, 7, 20)]
    logits = logits_of(model, sequences)
    store(reference, torch.float32)
    rounded = (logits - logits_of(reference, sequences)).abs().max().item()
    whole = (logits - logits_of(original, sequences)).abs().max().item()
    if (whole if dtype in ("auto", "float32", "float64") else rounded) > TOLERANCE:
        faults.append("the logits differ")
    print(f"{'WRONG' if faults else 'ok'}: {folder.name}, {dtype} ({stored}), {size}: {len(found)} files, largest difference "
          f"{rounded:.2e} to its weights in PyTorch, {whole:.2e} to the original {'; '.join(faults)}")
    return not faults


def check_conversions(decant, folder):
    good = True
    for dtype in TYPES:
        for size in ["5GB", "12KB", "1.5KB"]:
            with tempfile.TemporaryDirectory() as scratch:
                good = check_conversion(decant, folder, dtype, size, Path(scratch)) and good
    return good


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--convert"] and len(words) > 2:
        decoders = [Path(folder) for folder in words[2:] if (Path(folder) / "config.json").exists() and not is_encoder(Path(folder))]
        checked = [check_conversions(words[1], folder) for folder in decoders]
    elif words and not words[0].startswith("-"):
        checked = [check(Path(folder)) for folder in words]
    else:
        sys.exit(__doc__)
    sys.exit(0 if checked and all(checked) else 1)
