"""The bits of a teacher's signals, as Decant's docs/formats.md describes them: what decant_cache reads samples with."""
import functools
import math
import struct

import numpy as np

KINDS = ("top-k", "top-p", "sample", "dense", "top-k-derived")


class Damaged(ValueError):
    """Bytes that Decant did not write, or a later version of it did."""


class Reader:
    """Numbers that begin on a byte's border, one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, format):
        values = struct.unpack_from("<" + format, self.data, self.at)
        self.at += struct.calcsize("<" + format)
        return values if len(values) > 1 else values[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def count(self):
        """A varint that counts what lies in the bytes; zeros of width 0 alone take no room."""
        count = self.varint()
        if count > max(8 * len(self.data), 1 << 24):
            raise Damaged(f"it has {len(self.data)} bytes, which do not hold {count}")
        return count

    def positions(self):
        runs, end = [np.empty(0, np.int64)], 0
        for _ in range(self.count()):
            start = end + self.count()
            end = start + self.count()
            runs.append(np.arange(start, end))
        return np.concatenate(runs)


class Bits:
    """Bits of bytes, the least significant first, read at many places at once."""

    def __init__(self, data):
        self.data, self.words = data + bytes(8), np.ndarray(len(data) + 1, "<u8", data + bytes(8), strides=(1,))

    def field(self, at, width):
        """Fields of 32 bits at most."""
        words = self.words[at >> 3] >> (at & 7).astype(np.uint64)
        return words.astype(np.int64) & ((1 << np.asarray(width)) - 1)

    def floats(self, at):
        return self.field(at, 32).astype(np.uint32).view(np.float32)


def read_input(reader):
    if reader.take("B") == 1:
        first, second, share = reader.take("16s16sf")
        return "mixture", first.hex(), second.hex(), share
    of = reader.take("16s").hex()
    return "twin", of, reader.take(f"{reader.count()}s").decode(), *reader.take("fQ")


def read_column(reader, positions):
    name = reader.take(f"{reader.count()}s").decode()
    of_sample, halved = reader.take("BB")
    width = reader.count()
    shape = (() if of_sample else (positions,)) + ((width,) if width > 1 else ())
    values = np.frombuffer(reader.data, "<u2" if halved else "<f4", math.prod(shape), reader.at).reshape(shape)
    reader.at += values.nbytes
    # A bfloat16 is the upper half of a float32.
    return name, (values.astype(np.uint32) << 16).view(np.float32) if halved else values


def read_signal(reader):
    """Kind, offsets, ids, log-probs, tails, targets, inclusion log-probs."""
    mark, codec, version = reader.take("BBB")
    if mark != 0xD5 or codec not in (1, 2) or version not in (1, 2):
        raise Damaged(f"its signal is of codec {codec} in version {version}, which is not known")
    kind = KINDS[reader.take("B")] if version == 2 else KINDS[0]
    even = reader.count() if version == 1 else 0
    rows, vocabulary = reader.count(), reader.varint()
    even = even or reader.count()
    counts = np.full(rows, even) if even else np.array([reader.count() for _ in range(rows)], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    if counts.size and not 0 < counts.min() <= counts.max() <= vocabulary <= 1 << 31:
        raise Damaged(f"{counts.max()} entries of a vocabulary of {vocabulary}")
    if offsets[-1] > 8 * len(reader.data):
        raise Damaged(f"it has {len(reader.data)} bytes, which do not hold {offsets[-1]} entries")
    row = np.repeat(np.arange(rows), counts)
    decode = _compact if codec == 1 else _exact
    return kind, offsets, *decode(
        Bits(reader.data[reader.at:]), counts, row, np.arange(len(row)) - offsets[row], vocabulary, kind == "sample")


def _exact(bits, counts, row, rank, vocabulary, drawn):
    width = (vocabulary - 1).bit_length()
    sizes = counts * (width + 32 + 32 * drawn) + 64
    ends = np.cumsum(sizes)
    values = (ends - sizes + counts * width)[row] + 32 * rank
    ids = bits.field((ends - sizes)[row] + width * rank, width).astype(np.int32)
    inclusion = bits.floats(values + 32 * counts[row]) if drawn else None
    return ids, bits.floats(values), bits.floats(ends - 64), bits.floats(ends - 32), inclusion


@functools.lru_cache
def _mass(steps, nats_per_step):
    return np.array([math.exp(-step * nats_per_step) for step in range(steps)])


@functools.lru_cache(4096)
def _lengths(lowest, rice, fine):
    """Bits of the entry that 12 bits begin; 0 where they do not tell."""
    bits = np.arange(4096)
    zeros = np.log2(np.maximum(bits & -bits, 1)).astype(np.int64)
    cell = lowest - (zeros << rice) - (bits >> zeros + 1 & (1 << rice) - 1)
    known = (bits > 0) & (zeros + 1 + rice <= 12) & (cell >= 0)
    return (known * (zeros + 1 + rice + np.maximum(0, fine - 4 * cell) // 22)).astype(np.uint8).tobytes()


def _compact(bits, counts, row, rank, vocabulary, _):
    # An entry begins where the one before it ends: one loop finds the places, the rest is done at once.
    precision = np.array([11 * max(4, (count - 1).bit_length()) + 65 for count in counts.tolist()], np.int64)
    low = np.array([(vocabulary // count).bit_length() - 1 for count in counts.tolist()], np.int64)
    unpacked = np.unpackbits(np.frombuffer(bits.data, np.uint8), bitorder="little").view(bool)
    ones, text = np.flatnonzero(unpacked), unpacked.tobytes()
    windows = bits.words.astype(np.uint32).tolist()
    heads, starts, tails, at = [], [], [], 0
    for count, fine, low_bits in zip(counts.tolist(), precision.tolist(), low.tolist()):
        heads.append(at)
        head = windows[at >> 3] >> (at & 7)
        lowest, rice = head & 4095, head >> 12 & 15
        at = int(ones[np.searchsorted(ones, at + 16 + count * low_bits) + count - 1]) + 1
        lengths = _lengths(lowest, rice, fine)
        for _ in range(count):
            starts.append(at)
            length = lengths[windows[at >> 3] >> (at & 7) & 4095]
            if not length:
                one = text.find(1, at)
                cell = lowest - (one - at << rice) - (windows[one + 1 >> 3] >> (one + 1 & 7) & (1 << rice) - 1)
                length = one + 1 + rice - at + max(0, fine - 4 * cell) // 22
            at += length
        tails.append(at)
        at += 64
    if (at + 7) // 8 + 8 != len(bits.data):
        raise Damaged("its signal is not as long as its record")
    heads, starts, tails = np.array(heads, np.int64), np.array(starts, np.int64), np.array(tails, np.int64)
    high = heads + 16 + counts * low
    ids = (ones[np.searchsorted(ones, high)[row] + rank] - high[row] - rank) << low[row] | bits.field(
        heads[row] + 16 + rank * low[row], low[row])
    one, rice = ones[np.searchsorted(ones, starts)], bits.field(heads + 12, 4)[row]
    cell = bits.field(heads, 12)[row] - ((one - starts) << rice) - bits.field(one + 1, rice)
    width, finest = np.maximum(0, precision[row] - 4 * cell) // 22, precision[row] // 22
    within = 2 * bits.field(one + 1 + rice, width) + 1 << finest - width
    if cell.size and not 0 <= cell.min() <= cell.max() < 4096:
        raise Damaged("a log-prob lies outside its cells")
    most = int(finest.max(initial=0)) + 1  # levels of a cell, as a power of two; those of other rows are among them
    mass = _mass(4096, 0.25)[cell] * _mass(1 << most, 0.25 / (1 << most))[within << most - 1 - finest]
    tail, sums = bits.floats(tails), np.bincount(row, mass, len(counts))
    shift = np.array([_shift(*pair) for pair in zip(tail.tolist(), sums.tolist())], np.float32)
    level = (cell << finest + 1) + within
    order = np.lexsort((level, row))
    depth = level[order].astype(np.float32) * np.ldexp(np.float32(0.25), -1 - finest)
    return ids[order].astype(np.int32), np.minimum(0, shift[row] - depth), tail, bits.floats(tails + 32), None


def _shift(tail, mass):
    """What brings a row's sum to one; 0 where no rounding explains it."""
    rest = -math.expm1(tail)
    shift = math.log(rest / mass) if rest > 0 < mass else math.inf
    return shift if abs(shift) <= 0.125 else 0
