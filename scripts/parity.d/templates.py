"""Chat templates of trl's wheel and of a folder, rendered by transformers and by Decant."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import BENCH, ROOT, Row

sys.path.insert(0, str(ROOT / "scripts/golden"))
from chat_conversations import CONVERSATIONS, DATE, TOKENS, rendered, seen  # noqa: E402

LEAST_TEMPLATES, LEAST_SHARE = 40, 0.9


def collections():
    try:
        import trl
        yield "trl", sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
    except ImportError:
        print("parity: the templates of trl are left out, as it is not installed", file=sys.stderr)
    folder = os.environ.get("DECANT_TEMPLATES")
    if folder:
        yield "DECANT_TEMPLATES", sorted(Path(folder).glob("*.jinja"))
    else:
        print("parity: DECANT_TEMPLATES names no folder of further templates", file=sys.stderr)


def ours(cases):
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.jsonl"
        date = "-".join(f"{part:02}" for part in DATE)
        rows.write_text("".join(json.dumps(
            {"template": template, "variables": variables, "date": date}) + "\n" for template, variables in cases))
        done = subprocess.run([BENCH, "--render", str(rows)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench --render ended with {done.returncode}:\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.split("\n") if line]


def compared(name, paths):
    sources = [path.read_text() for path in paths]
    cases = [(path, source, label, {**TOKENS, **variables})
             for path, source in zip(paths, sources) for label, variables in CONVERSATIONS]
    results = ours([(source, seen(variables)) for _, source, _, variables in cases])
    counts = dict(equal=0, raising=0, refused=0, unequal=0)
    for (path, source, label, variables), result in zip(cases, results, strict=True):
        text, ranges = rendered(source, variables)
        if text is None:
            kind = "raising" if "error" in result else "unequal"
        elif "error" in result:
            kind = "refused" if "not supported" in result["error"] else "unequal"
        else:
            kind = "equal" if (text, ranges) == (result["text"], result["generated"]) else "unequal"
        counts[kind] += 1
        if kind in ("refused", "unequal"):
            print(f"parity: {path.name}, {label}: {result.get('error', kind)}; transformers: {ranges if text is None else 'renders'}",
                  file=sys.stderr)
    return counts


def templates():
    found, share = 0, []
    for name, paths in collections():
        counts = compared(name, paths)
        found += len(paths)
        total = sum(counts.values())
        share.append(((counts["equal"] + counts["raising"]), total))
        figure = (f"{total} renderings, {counts['equal']} equal, {counts['raising']} both raise, "
                  f"{counts['refused']} refused by name, {counts['unequal']} unequal")
        yield Row(f"{len(paths)} chat templates of {name}", figure, "none unequal", counts["unequal"] == 0)
    if share:
        ratio = sum(part for part, _ in share) / sum(total for _, total in share)
        met = found >= LEAST_TEMPLATES and ratio >= LEAST_SHARE
        yield Row("chat templates, share done as transformers does", f"{found}, {ratio:.1%}",
                  f"{LEAST_TEMPLATES}, {LEAST_SHARE:.0%}", met)
