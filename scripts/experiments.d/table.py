#!/usr/bin/env python3
"""Puts the tables of scripts/experiments between the markers of a Markdown file: means over seeds, with the deviation of a sample.

Usage: table.py RUNS docs/experiments.md
"""
import json
import pathlib
import statistics
import sys

BEGIN, END = "<!-- methods: begin -->", "<!-- methods: end -->"


def row(folder):
    """The figures of the student of one method and seed; None where they are not there yet."""
    table = folder / "table" / "table.json"
    if not table.exists():
        return None
    student = next(entry for entry in json.loads(table.read_text()) if entry["name"] == "student")
    run = (folder / "student" / "best").resolve().parent.parent
    state = json.loads((run / "checkpoints" / "last" / "trainer_state.json").read_text())
    rates = json.loads((folder / "student" / "sweep.json").read_text())
    return {
        "nll": student["nll"], "rouge": student["rougeL"], "forward": student["forwardKL"],
        "reverse": student["reverseKL"], "seconds": state["seconds"], "rate": rates[0]["learning_rate"],
    }


def shown(values, digits=3):
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def main():
    runs, document = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = {}
    for seed in sorted(runs.glob("seed-*")):
        for folder in sorted(seed.iterdir()):
            figures = row(folder) if folder.name != "world" else None
            if figures:
                found.setdefault(folder.name, {})[seed.name] = figures
    lines = [
        "| method | seeds | nll | ROUGE-L | KL(t,s) | KL(s,t) | time of a run, of `kd`'s | learning rates |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, seeds in sorted(found.items(), key=lambda item: statistics.mean(s["reverse"] for s in item[1].values())):
        times = [s["seconds"] / found["kd"][seed]["seconds"] for seed, s in seeds.items() if seed in found.get("kd", {})]
        all_of = lambda key: [s[key] for s in seeds.values()]
        rates = ", ".join(f"{rate:g}" for rate in sorted(set(all_of("rate"))))
        lines.append(
            f"| `{name}` | {len(seeds)} | {shown(all_of('nll'))} | {shown(all_of('rouge'))} | {shown(all_of('forward'))} "
            f"| {shown(all_of('reverse'))} | {shown(times, 1) if times else '-'} | {rates} |")
    text = document.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    document.write_text(text[:start] + "\n" + "\n".join(lines) + "\n" + text[end:])


main()
