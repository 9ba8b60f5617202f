#!/usr/bin/env python3
"""Golden file of JinjaTests: the templates under Golden/templates on twelve conversations, as transformers renders them.

Needs transformers and jinja2; run from the root of the checkout. The first line has the conversations as a template sees
them; each other line has a template, and of each conversation the length and the FNV-1a hash of the text, with the ranges of
bytes that the assistant wrote, or null where the template raises. `SOURCES.md` beside the templates says where they are from."""

import json
from pathlib import Path

from chat_conversations import CONVERSATIONS, TOKENS, rendered, seen

GOLDEN = Path("Tests/JinjaTests/Golden")
WHOLE = {"plain", "called"}


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def outcome(source, label, variables):
    text, ranges = rendered(source, {**TOKENS, **variables})
    if text is None:
        return None
    data = text.encode()
    row = {"bytes": len(data), "hash": fnv(data), "generated": ranges}
    return {**row, "text": text} if label in WHOLE else row


with open(GOLDEN / "chats.jsonl", "w") as file:
    given = {label: seen({**TOKENS, **variables}) for label, variables in CONVERSATIONS}
    file.write(json.dumps(given, ensure_ascii=False) + "\n")
    for path in sorted((GOLDEN / "templates").glob("*.jinja")):
        source = path.read_text()
        results = {label: outcome(source, label, variables) for label, variables in CONVERSATIONS}
        file.write(json.dumps({"template": path.name, "results": results}, ensure_ascii=False) + "\n")
