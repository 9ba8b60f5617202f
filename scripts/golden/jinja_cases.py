#!/usr/bin/env python3
"""Golden file of JinjaTests: small templates, and what Jinja renders of them as transformers sets it up.

Needs transformers and jinja2 (DECANT_PYTHON's environment); run from the root of the checkout. Each line is a JSON object:
the template, and its text, or null where it raises. All have the variables of the first line."""

import json

from chat_conversations import DATE
from jinja_snippets import SNIPPETS

VARIABLES = {
    "name": "World", "n": 7, "f": 2.5, "t": True, "nothing": None, "empty": "", "text": "  Héllo wörld 😀\n second line\t",
    "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"b": 1, "a": [1, "x", None, True, 1.5], "items": "own"},
    "users": [{"name": "Zoe", "age": 31, "address": {"city": "Rome"}}, {"name": "adam", "age": 25},
              {"name": "Bob", "age": 31, "address": {"city": "Oslo"}}],
    "nested": {"k": {"é": "ü\u2028\x7f\x01\"\\/"}, "z": [], "y": {}}, "x": "given",
    "numbers": [0, -1, 1e16, 1e-5, 0.1, 1e22, 123456789.125, -0.0, 100.0, 9007199254740993, 9.5e15, 1.5e300, 5e-324],
}


def rendered(template):
    import datetime

    from transformers.utils import chat_template_utils

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(*DATE)

    chat_template_utils.datetime = Clock
    try:
        text = chat_template_utils._compile_jinja_template(template).render(**json.loads(json.dumps(VARIABLES)))
        text.encode()
        return text
    except Exception:
        return None


with open("Tests/JinjaTests/Golden/cases.jsonl", "w") as file:
    file.write(json.dumps(VARIABLES, ensure_ascii=False) + "\n")
    for snippet in SNIPPETS:
        row = {"template": snippet, "text": rendered(snippet)}
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
