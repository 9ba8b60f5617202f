"""Encoding on one thread beside Hugging Face tokenizers: 10 MB each of English, C and Chinese, in short and in long texts."""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BYTES = 10_000_000
ROUNDS = 3
LENGTHS = {"2 kB": 2_000, "1 MB": 1_000_000}
TARGET = 0.5
LINEAR_TARGET = 1.0


# The other side, in a process of its own: it must be told of its one thread before it starts any.


def mixed(place):
    """SplitMix64's function of an array of places, as `bench tokens` has it."""
    value = place * 0x9E3779B97F4A7C15
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9
    value = (value ^ value >> 27) * 0x94D049BB133111EB
    return value ^ value >> 31


def fingerprint(encodings):
    import numpy
    ids = numpy.fromiter((i for e in encodings for i in [*e.ids, 0]), dtype=numpy.uint64)
    with numpy.errstate(over="ignore"):
        return int(((ids + 1) * mixed(numpy.arange(1, len(ids) + 1, dtype=numpy.uint64))).sum()) >> 12


def worker(tokenizer, file):
    """Prints a fingerprint of all ids, then for each line of its input the seconds of processor time that encoding takes."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [json.loads(line) for line in open(file)]
    ways = [
        lambda texts: [tokenizer.encode(text, add_special_tokens=False) for text in texts],
        lambda texts: tokenizer.encode_batch(texts, add_special_tokens=False),
        lambda texts: tokenizer.encode_batch_fast(texts, add_special_tokens=False),
    ]

    def seconds(way, texts):
        start = time.process_time()
        way(texts)
        return time.process_time() - start

    print(fingerprint(ways[0](texts)), flush=True)
    few = texts[:max(2, len(texts) // 5)]
    best = min(ways, key=lambda way: min(seconds(way, few), seconds(way, few)))
    for _ in sys.stdin:
        print(seconds(best, texts), flush=True)


class Reference:
    """The worker, from this side."""

    def __init__(self, tokenizer, file):
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(tokenizer), str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment)
        self.fingerprint = int(self.process.stdout.readline())

    def seconds(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.communicate()


# Texts


def english(_):
    from common import SHARED
    files = [SHARED / "data/text/tinyshakespeare/input.txt", *sorted((SHARED / "data/text/tinystories").glob("*.txt"))]
    return [file.read_text() for file in files if file.exists()]


def c(_):
    return [
        file.read_bytes().decode(errors="replace") for file in sorted(Path("/usr/include").rglob("*.h")) if file.is_file()]


def chinese(scratch):
    """The manual pages of Debian's manpages-zh, as roff."""
    folder = Path(scratch) / "zh"
    folder.mkdir()
    subprocess.run("apt-get -q download manpages-zh && dpkg -x *.deb .", shell=True, cwd=folder, capture_output=True)
    return [gzip.open(file).read().decode(errors="replace") for file in sorted(folder.glob("usr/share/man/**/*.gz"))]


def pieces(data, size):
    """UTF-8 cut into texts of at most so many bytes, between characters."""
    start = 0
    while start < len(data):
        stop = min(len(data), start + size)
        while stop < len(data) and data[stop] & 0xC0 == 0x80:
            stop -= 1
        yield data[start:stop].decode()
        start = stop


def write(texts, file):
    file.write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts))
    return file


def corpora(scratch):
    """Files of texts by their names."""
    result = {}
    for name, source in {"English": english, "C": c, "Chinese": chinese}.items():
        data = "".join(source(scratch)).encode()
        if not data:
            print(f"parity: token-speed leaves {name} out, whose texts are not there", file=sys.stderr)
            continue
        data = (data * (BYTES // len(data) + 1))[:BYTES].decode(errors="ignore").encode()
        for length, size in LENGTHS.items():
            result[f"{name}, texts of {length}"] = write(pieces(data, size), Path(scratch) / f"{name}-{size}.jsonl")
    return result


def tokenizers():
    from common import GEMMA, SHARED
    known = {name: SHARED / "data/tokenizers" / name for name in ["gpt2", "llama2", "qwen2"]}
    known["Gemma 3"] = Path(GEMMA or "DECANT_GEMMA") / "gemma3-270m"
    known["all-MiniLM-L6-v2"] = Path(os.environ.get("DECANT_MINILM", "DECANT_MINILM"))
    for name, folder in known.items():
        if (folder / "tokenizer.json").exists():
            yield name, folder
        else:
            print(f"parity: token-speed leaves {name} out, as {folder} has no tokenizer.json", file=sys.stderr)


def compare(name, folder, what, file):
    from common import Row, bench
    reference = Reference(folder / "tokenizer.json", file)
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(BYTES / reference.seconds() / 1e6)
        found = bench("--model", folder, "--texts", file, "--repeat", 1, "tokens")
        ours.append(found["encoding"])
    reference.close()
    mine, other = sorted(ours)[ROUNDS // 2], sorted(theirs)[ROUNDS // 2]
    same = int(found["encoding, fingerprint"]) == reference.fingerprint
    return Row(
        f"{name}: {what}, {int(found['encoding, tokens'])} tokens, {'equal' if same else 'NOT EQUAL'}",
        f"{mine / other:.1f} x ({mine:.1f} and {other:.2f} MB/s)", f"{TARGET} x", same and mine >= TARGET * other)


def speed():
    from common import Row, bench
    with tempfile.TemporaryDirectory() as scratch:
        files = corpora(scratch)
        letters = "".join(c for text in english(scratch)[:1] for c in text if c.isalpha())
        word = write([(letters * 2)[:1_000_000]], Path(scratch) / "word.jsonl") if letters else None
        for name, folder in tokenizers():
            for what, file in files.items():
                yield compare(name, folder, what, file)
            if word:
                rate = bench("--model", folder, "--texts", word, "--repeat", 3, "tokens")["encoding"]
                yield Row(f"{name}: a word of 1 MB", f"{1 / rate:.2f} s", f"{LINEAR_TARGET:g} s", 1 / rate <= LINEAR_TARGET)


if __name__ == "__main__":
    worker(*sys.argv[1:])
