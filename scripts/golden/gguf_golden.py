#!/usr/bin/env python3
"""Golden files of GGUFTests: a GGUF file with a tensor of every type that is read and metadata of every type, and the fp32
values that the Python package `gguf` makes of the tensors. Needs gguf, numpy and safetensors; run from the root of the
checkout. The output is deterministic.

The K-quants, which the package cannot write, are random bytes with small scales."""

import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

folder = pathlib.Path("Tests/GGUFTests/Golden")
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(20)
writer = gguf.GGUFWriter(folder / "types.gguf", "types")
for kind in ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]:
    info = np.iinfo(kind)
    getattr(writer, f"add_{kind}")(f"number.{kind}", int(info.min if info.min else info.max))
writer.add_float32("number.float32", 1e-6)
writer.add_float64("number.float64", 0.1)
writer.add_bool("flag", True)
writer.add_string("text", "é\u0301 漢\0\U0001f600")
writer.add_array("strings", ["", "a", "▁the", "\U0001f600"])
writer.add_array("integers", [1, -2, 3])
writer.add_array("numbers", [0.5, -1.25])
writer.add_array("flags", [True, False])

shape = (3, 512)
expected = {}


def add(name, data, kind):
    writer.add_tensor(name, data, raw_dtype=kind)
    expected[name] = gguf.quants.dequantize(data, kind).astype(np.float32)


plain = random.standard_normal(shape).astype(np.float32)
plain[0, :8] = [0.0, -0.0, 1.0, -2.5, 0.1, 65504.0, 6.1e-5, 5.96e-8]
add("F32", plain, T.F32)
add("F16", plain.astype(np.float16), T.F16)
writer.add_tensor("F64", plain.astype(np.float64) / 3)
expected["F64"] = (plain.astype(np.float64) / 3).astype(np.float32)
for kind in [T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1]:
    values = random.standard_normal(shape).astype(np.float32)
    values[0, :32] = 0  # a block of scale 0
    add(kind.name, gguf.quants.quantize(values, kind), kind)
for kind, halves in [(T.Q4_K, [0, 2]), (T.Q5_K, [0, 2]), (T.Q6_K, [208])]:
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (shape[0], shape[1] // elements, size), dtype=np.uint8)
    for place in halves:
        scales = (random.standard_normal(blocks.shape[:2]) / 100).astype(np.float16)
        blocks[..., place : place + 2] = scales[..., None].view(np.uint8)
    add(kind.name, blocks.reshape(shape[0], -1), kind)
vector = random.standard_normal(7).astype(np.float32)
add("vector", vector, T.F32)
add("cube", random.standard_normal((2, 3, 4)).astype(np.float32), T.F32)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(expected, folder / "types.safetensors")
