#!/usr/bin/env python3
"""Writes Tests/SamplesTests/Golden/chat_formats.json: conversations as the models' own chat templates render them
(pip install jinja2), for ChatFormatTests. The environment is set up as transformers sets it up."""
import json, os
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
FORMATS = {"chatml": (CHATML, "", "<|im_end|>"), "llama2": (LLAMA2, "<s>", "</s>"), "zephyr": (ZEPHYR, "<s>", "</s>")}


def turns(*texts, system=None):
    roles = ["user", "assistant"]
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return ([{"role": "system", "content": system}] if system is not None else []) + messages


CONVERSATIONS = [
    turns("Why is the sky blue?", "Rayleigh scattering."),
    turns("Hi", "Hello!\nWhat is it?", "  A joke  ", "  No.  ", system="Be brief."),
    turns("é 日本 {{x}}", "<b>", system=""),
]

env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
cases = []
for name, (template, bos, eos) in FORMATS.items():
    compiled = env.from_string(template)
    for messages in CONVERSATIONS:
        def render(some, generation):
            return compiled.render(messages=some, bos_token=bos, eos_token=eos, add_generation_prompt=generation)
        cases.append({"template": name, "bos": bos, "eos": eos, "messages": messages,
                      "whole": render(messages, False), "prompt": render(messages[:-1], True)})
path = os.path.join(os.path.dirname(__file__), "../../Tests/SamplesTests/Golden/chat_formats.json")
with open(path, "w") as file:
    json.dump(cases, file, indent=1, ensure_ascii=False)
    file.write("\n")
