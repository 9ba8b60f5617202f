#!/usr/bin/env python3
"""Golden file of JSONTests: JSON texts, whether RFC 8259 and the rules of the room accept them, and what they hold.

Needs no package; run from the root of the checkout. The opinion is that of Python's json module, held to what it is lax
about. Each line is `y HEX TOLD` or `n HEX`: the bytes of the text, and the value as `told` writes it. The classes of
cases are those of JSONTestSuite (Nicolas Seriot, MIT licence); no file of it is copied."""

import json
import random
import struct
import sys

DEPTH = 512


class Refused(Exception):
    pass


def constant(word):
    raise Refused(word)


def double(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Refused(text)
    return number


def integer(text):
    if text == "-0":
        return -0.0
    number = int(text) if len(text) < 400 else None
    return number if number is not None and -(2**63) <= number < 2**63 else double(text)


def members(pairs):
    if len({key for key, _ in pairs}) < len(pairs):
        raise Refused("a key comes twice")
    return dict(pairs)


def told(value, depth=0):
    if isinstance(value, (list, dict)) and depth == DEPTH:
        raise Refused("too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return "d" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "s" + value.encode("utf-8").hex()  # a lone surrogate raises
    if isinstance(value, list):
        return "[" + ",".join(told(element, depth + 1) for element in value) + "]"
    return "{" + ",".join(told(key) + ":" + told(element, depth + 1) for key, element in value.items()) + "}"


def opinion(case):
    try:
        text = case.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        if text.startswith("\ufeff"):
            raise Refused("a second mark")
        value = json.loads(
            text, parse_constant=constant, parse_float=double, parse_int=integer, object_pairs_hook=members)
        return told(value)
    except (ValueError, Refused, RecursionError):
        return None


def numbers():
    whole = ["0", "-0", "1", "-1", "10", "00", "01", "-01", "+1", "--1", "1-", "-", "0x10", "1_0", "1 0", "９"]
    whole += [str(2**power + step) for power in (31, 32, 53, 63, 64) for step in (-1, 0, 1)]
    whole += [str(-(2**power) + step) for power in (31, 32, 53, 63, 64) for step in (-1, 0, 1)]
    whole += ["1" * 19, "1" * 20, "9" * 400, "1" + "0" * 308, "1" + "0" * 309]
    parts = ["", ".", ".0", ".5", ".50", ".e1", ".1.1", "e", "e+", "e-", "e1", "E+2", "e-2", "e0.5", "e999", "e-999", "e309"]
    yield from whole
    yield from (front + part for front in ("0", "1", "-1", "12", "", "-") for part in parts)
    yield from ["1.7976931348623157e308", "1.7976931348623159e308", "1e308", "1e309", "-1e309", "5e-324", "2e-324"]
    yield from ["NaN", "Infinity", "-Infinity", "nan", "inf", "1.0f", "1e5x", "1,", "1:", "1]", "],[", "1],[2", '"a":1']
    yield from ["0.1", "0.30000000000000004", "123456789012345678.9", "9007199254740993.0", "1." + "1" * 400]


def digits(stream, most):
    return "".join(stream.choice("0123456789") for _ in range(stream.randrange(1, most)))


def random_numbers(count):
    stream = random.Random(2)
    for _ in range(count):
        whole = stream.choice(["0", "0", str(stream.randrange(1, 10)) + digits(stream, stream.choice((3, 25)))])
        zeros = "0" * stream.choice((0, 0, 1, 3, 18, 25))
        fraction = stream.choice(["", "." + zeros + digits(stream, stream.choice((3, 18, 30)))])
        exponent = stream.choice(["", "", f"e{stream.randrange(-330, 300)}", "E-" + digits(stream, 25), "e+0" + digits(stream, 2)])
        yield stream.choice(["", "-"]) + whole + fraction + exponent


def strings():
    yield from ["", "a", "\\", "\\\\", '\\"', "\\/", "/", "\\b\\f\\n\\r\\t", "\\x", "\\'", "\\u", "\\u1", "\\u12", "\\u123"]
    yield from ["\\u0041", "\\u00e9", "\\u0000", "\\uFFFF", "\\u12G4", "\\U0041", "\\u+041", "\\u 041", "\\a", "\\0", "\\"]
    surrogates = ["\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\ud83d\\ude00", "\\ud800\\ud800", "\\udc00\\ud800"]
    yield from surrogates
    yield from (text + behind for text in surrogates for behind in ("x", "\\n", "\\u0041", "\\", "\\u", "\\udc0"))
    yield from ["\x7f", "\u2028", "\ufeff", "é", "e\u0301", "漢", "😀", "\U0010ffff", "x" * 31, "x" * 32, "x" * 63, "x" * 64]
    yield from ("x" * length + '\\"' for length in range(28, 36))
    yield from ("x" * length + "\\\\" for length in range(60, 68))


def ill_formed():
    yield from [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x41", b"\xe0\x80\x80", b"\xe0\x9f\xbf"]
    yield from [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf"]
    yield from [b"\xf4\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff", b"\xfe"]
    yield from [b"\xe9", b"\xc3\xa9", b"\xf0\x9f\x98", b"\xe2\x82", bytes(range(1, 32))]
    yield from (bytes([byte]) for byte in range(32))


def structures():
    yield from ["", " ", "\n\t\r ", "\x0c1", "\x0b1", "\xa01", "1\x0c", "[1]\x00", "\x00", "\ufeff1", "\ufeff", "\ufeff\ufeff1"]
    yield from ["null", "nul", "nulll", "NULL", "true", "tru", "trues", "True", "false", "fals", "false1", "n", "t", "f"]
    yield from ["[]", "[ ]", "[", "]", "[[]", "[]]", "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]", "[1;2]", "[1}", "[1"]
    yield from ["{}", "{ }", "{", "}", "{}}", "{{}}", "{,}", '{"a"}', '{"a":}', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}']
    yield from ['{"a"::1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{"a":1]', '{"a":1}x']
    yield from ['{"a":1}{"a":1}', '{"a":1},', "[1][2]", "[1] 2", '"a" "b"', '"a"x', '["a"x]', '["a":1]', '[1,"a":2]', "[tru e]"]
    yield from ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"a":{"b":1,"b":1}}', '[{"":1,"":1}]', '{"a":1,"A":2}', '{"":0}']
    yield from ['{"\u00e9":1,"e\u0301":2}', '{"\u00e9":1,"\\u00e9":2}', "// a\n1", "/* a */1", "#a\n1", "[1] // a", "[1/**/]"]
    yield from ["[" * depth + "]" * depth for depth in (1, 2, 511, 512, 513, 600)]
    yield from ['{"a":' * depth + "1" + "}" * depth for depth in (1, 511, 512, 513)]
    yield from ['[{"a":' * depth + "1" + "}]" * depth for depth in (255, 256, 257)]
    for count in (15, 16, 17, 18, 40):
        keys = [f'"k{index}":{index}' for index in range(count)]
        yield "{" + ",".join(keys) + "}"
        yield "{" + ",".join(keys + ['"k3":0']) + "}"
        yield '{"x":{' + ",".join(keys[::-1] + [f'"k{count - 1}":0']) + "}}"


DOCUMENTS = [
    '{"prompt": "caf\u00e9 \\ud83d\\ude00\\n", "n": [1, -2.5e-3, 18446744073709551616], "o": {"t": true}}',
    '[{"a": "x\\"y"}, [], {}, [null, false], 0.1]',
    '{"k": {"k": {"k": [[[]]]}}, "\\u006b2": "\\\\"}',
]
WORDS = ["\\u", "\\ud800", "e9", "-", "null", "[", "]", "{", "}", ":", ",", '"', "\\", " ", "\n", "0", "1e400", "\u00e9", "\x0c", "true"]


def mutations(count):
    stream = random.Random(1)
    for index in range(count):
        text = bytearray(DOCUMENTS[index % len(DOCUMENTS)].encode())
        for _ in range(stream.choice((1, 1, 1, 2, 3))):
            place, kind = stream.randrange(len(text) + 1), stream.randrange(4)
            if kind == 0:
                text[place:place + 1] = bytes([stream.randrange(256)])
            elif kind == 1:
                del text[place:place + stream.choice((1, 1, 2, 5))]
            elif kind == 2:
                text[place:place] = stream.choice(WORDS).encode()
            else:
                other = stream.randrange(len(text) + 1)
                text[place:place] = text[other:other + stream.randrange(1, 8)]
        yield bytes(text)


def cases():
    for scalar in numbers():
        yield from (scalar.encode(), f"[{scalar}]".encode(), f'{{"a": {scalar} }}'.encode())
    numbers_at_hand = list(random_numbers(3000))
    yield from (f"[{','.join(numbers_at_hand[first:first + 10])}]".encode() for first in range(0, 3000, 10))
    for content in strings():
        yield from (f'"{content}"'.encode(), f'{{"{content}":"{content}"}}'.encode())
    for content in ill_formed():
        yield from (b'"' + content + b'"', b"[" + content + b"]", b'{"' + content + b'":1}', b'["a' + content + b'b"]')
    yield from (structure.encode() for structure in structures())
    for document in DOCUMENTS:
        yield from (document.encode()[:end] for end in range(len(document.encode()) + 1))
    yield from mutations(2000)


sys.setrecursionlimit(10_000)
with open("Tests/JSONTests/Golden/cases.txt", "w") as file:
    for case in dict.fromkeys(cases()):
        found = opinion(case)
        file.write(f"n {case.hex()}\n" if found is None else f"y {case.hex()} {found}\n")
