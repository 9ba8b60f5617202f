#!/usr/bin/env python3
"""Writes what transformers makes of conversations: texts, ids, which tokens are the assistant's, and losses on them.

    scripts/golden/conversations.py          (torch, transformers, tokenizers)

Tests/SamplesTests/Golden/chats/            a tokenizer, templates of the kinds there are, and chats.json, for ChatTemplateTests
Tests/DistillationTests/Golden/chat/        teacher, student, rows.jsonl and expected.json, for ConversationRunTests
"""
import json
import shutil
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

TESTS = Path(__file__).resolve().parents[2] / "Tests"
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<turn>", "</turn>", "[INST]", "[/INST]"]

TEMPLATES = {
    # As Qwen2.5 has it: the prefix that asks is how the whole text begins.
    "chatml": """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}""",
    # As trl's training templates: it says itself what the assistant wrote.
    "marked": """{{- bos_token }}
{%- for message in messages %}
    {{- '<turn>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' %}
        {%- generation %}{{- message.content + '</turn>\\n' }}{%- endgeneration %}
    {%- else %}
        {{- message.content + '</turn>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<turn>assistant\\n' }}{%- endif %}""",
    # Marks the content alone, without the token that ends the turn.
    "marked-content": """{%- for message in messages -%}
{{ '<turn>' + message.role + ':' }}{% if message.role == 'assistant' %}{% generation %}{{ message.content }}{% endgeneration %}{% else %}{{ message.content }}{% endif %}{{ '</turn>' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<turn>assistant:' }}{% endif %}""",
    # As Llama 2 has it: spaces around, the system message within the first turn, no header for an answer.
    "inst": """{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
{%- else %}{% set system = '' %}{% set rest = messages %}{% endif %}
{%- for message in rest %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message.role == 'user' %}
        {{- bos_token + '[INST] ' + (system + '\\n' if loop.first and system else '') + message.content.strip() + ' [/INST]' }}
    {%- else %}
        {{- ' ' + message.content.strip() + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}""",
    # As Qwen3 has it: what was thought before the last question is left out.
    "thinking": """{%- set ns = namespace(last=0) %}
{%- for message in messages %}{% if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' and loop.index0 > ns.last %}
        {{- '<think>\\n' + (message.reasoning_content or '') + '\\n</think>\\n\\n' }}
    {%- endif %}
    {{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}""",
    # The system message moves to the last question: nothing that asks is how the whole begins.
    "moving": """{%- set ns = namespace(system='') %}
{%- for message in messages %}{% if message.role == 'system' %}{% set ns.system = message.content %}{% endif %}{% endfor %}
{%- for message in messages if message.role != 'system' %}
    {%- if message.role == 'user' %}
        {{- '[INST]' + (ns.system if loop.revindex <= 2 else '') + message.content + '[/INST]' }}
    {%- else %}{{- message.content + eos_token }}{% endif %}
{%- endfor %}""",
    # Tools and the date.
    "tools": """{{- '<turn>today ' + strftime_now('%d %B %Y') + '\\n' }}
{%- if tools %}{{- tools | tojson(indent=2) + '\\n' }}{% endif %}
{{- '</turn>' }}
{%- for message in messages %}
    {{- '<turn>' + message.role + '\\n' }}
    {%- if message.content is defined %}{{- message.content }}{% endif %}
    {%- for call in message.tool_calls or [] %}{{- '\\n' + call.function | tojson }}{% endfor %}
    {{- '</turn>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<turn>assistant\\n' }}{% endif %}""",
}

HELLO = [("user", "Hi there"), ("assistant", "Hello! How are you?")]
CONVERSATIONS = {
    "one": {"messages": HELLO},
    "several": {"messages": HELLO + [("user", "ünïcode 你好 🙂"), ("assistant", " Quite. "), ("user", ""), ("assistant", "ok")]},
    "system": {"messages": [("system", "Be brief.")] + HELLO + [("user", "2 + 2?\n"), ("assistant", "4\n")]},
    "open": {"messages": HELLO + [("user", "And you?")]},
    "tools": {
        "messages": [("user", "Weather?"), {"role": "assistant", "content": None, "tool_calls": [
            {"type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich", "days": 2}}}]},
            ("tool", "{\"t\": 21.5}"), ("assistant", "It is warm.")],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]},
    "thought": {"messages": HELLO + [("user", "Why?"), {"role": "assistant", "content": "So.", "reasoning": "Because"}]},
}
DATE = "2026-02-03"


def messages(conversation):
    return [m if isinstance(m, dict) else {"role": m[0], "content": m[1]} for m in conversation["messages"]]


def tokenizer(folder):
    """Bytes, a few merges across the borders of turns, and the tokens of the templates."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ċ", "H"), ("Q", "u"), ("H", "e"), ("l", "l"), ("He", "ll"), ("Hell", "o"), (":", "H"), ("Ġ", "t")]
    vocabulary = {t: i for i, t in enumerate(SPECIAL + alphabet + [a + b for a, b in merges])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}) + "\n")
    return vocabulary


class Frozen:
    """datetime.now() of the one date that the tests pin."""

    def __enter__(self):
        import datetime

        import transformers.utils.chat_template_utils as module
        self.module, self.before = module, module.datetime

        class Now(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromisoformat(DATE)
        module.datetime = Now
        return self

    def __exit__(self, *_):
        self.module.datetime = self.before


def chats(folder):
    tokenizer(folder)
    cases = []
    for name, template in TEMPLATES.items():
        loaded = AutoTokenizer.from_pretrained(folder)
        loaded.chat_template = template
        for kind, conversation in CONVERSATIONS.items():
            case = {"template": name, "conversation": kind}
            given = {"tools": conversation.get("tools"), "chat_template": template}
            try:
                case["text"] = loaded.apply_chat_template(messages(conversation), tokenize=False, **given)
                marked = "generation" in template.replace("add_generation_prompt", "")
                encoded = loaded.apply_chat_template(
                    messages(conversation), return_dict=True, return_assistant_tokens_mask=marked, **given)
                case["token_ids"] = encoded["input_ids"]
                if marked:
                    case["mask"] = encoded["assistant_masks"]
            except Exception as fault:
                case["refused"] = str(fault)
            cases.append(case)
    # Of every line break in a list of numbers a line would be made.
    out = {"date": DATE, "templates": TEMPLATES, "conversations": {
        k: {**v, "messages": messages(v)} for k, v in CONVERSATIONS.items()}}
    text = json.dumps(out, ensure_ascii=False, indent=1)[:-2] + ',\n "cases": [\n'
    text += ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases) + "\n ]\n}\n"
    (folder / "chats.json").write_text(text)


def model(folder, vocabulary, hidden, seed):
    torch.manual_seed(seed)
    made = LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, initializer_range=0.3, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1))
    made.save_pretrained(folder)
    return made.eval()


def run(folder):
    """Losses of teacher and student on every turn of the assistant."""
    shutil.rmtree(folder, ignore_errors=True)
    size = len(tokenizer(folder / "teacher"))
    tokenizer(folder / "student")
    (folder / "teacher" / "chat_template.jinja").write_text(TEMPLATES["chatml"])
    teacher, student = model(folder / "teacher", size, 16, 1), model(folder / "student", size, 8, 2)
    rows = [messages(CONVERSATIONS[name]) for name in ("one", "several", "system")]
    rows += [messages({"messages": [("user", f"What is {i}?"), ("assistant", f"{i} is {i}."), ("user", "Sure?"),
                                    ("assistant", "Yes" * (i % 3 + 1))]}) for i in range(5)]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": r}, ensure_ascii=False) + "\n" for r in rows))
    loaded = AutoTokenizer.from_pretrained(folder / "teacher")
    expected, sums = [], {"teacher": 0.0, "student": 0.0, "forward_kl": 0.0, "skl": 0.0}
    for row in rows:
        ids = loaded.apply_chat_template(row, return_dict=True)["input_ids"]
        # A turn of the assistant: what follows its header, up to and with the token that ends it.
        header, scored, index = loaded.encode("<|im_start|>assistant\n", add_special_tokens=False), [], 0
        while index < len(ids):
            # A merge may take the header's line break along: the border token is the answer's.
            if ids[index:index + len(header) - 1] == header[:-1]:
                index += len(header) - 1
                index += ids[index] == header[-1]
                while True:
                    scored.append(index - 1)
                    index += 1
                    if ids[index - 1] == SPECIAL.index("<|im_end|>"):
                        break
            else:
                index += 1
        with torch.no_grad():
            p, q = (torch.log_softmax(m(torch.tensor([ids])).logits[0].double(), -1)[scored] for m in (teacher, student))
        target = torch.tensor([ids[i + 1] for i in scored])[:, None]
        mixed = torch.logaddexp(p + torch.log(torch.tensor(0.1)), q + torch.log(torch.tensor(0.9)))
        sums["teacher"] -= p.gather(1, target).sum().item()
        sums["student"] -= q.gather(1, target).sum().item()
        sums["forward_kl"] += (p.exp() * (p - q)).sum().item()
        sums["skl"] += (p.exp() * (p - mixed)).sum().item()
        expected.append({"token_ids": ids, "scored_positions": scored})
    count = sum(len(e["scored_positions"]) for e in expected)
    out = {"tokens": count, **{k: v / count for k, v in sums.items()}}
    text = json.dumps(out, indent=1)[:-2] + ',\n "rows": [\n' + ",\n".join("  " + json.dumps(e) for e in expected) + "\n ]\n}\n"
    (folder / "expected.json").write_text(text)


with Frozen():
    chats(TESTS / "SamplesTests" / "Golden" / "chats")
run(TESTS / "DistillationTests" / "Golden" / "chat")
