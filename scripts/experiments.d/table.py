#!/usr/bin/env python3
"""Puts the tables of scripts/experiments between the markers of docs/experiments.md and docs/methods.md: means over seeds, with the deviation of a
sample. Draws docs/experiments/*.svg where matplotlib is there (Debian: python3-matplotlib).

Usage: table.py RUNS DOCS
"""
import json
import pathlib
import statistics
import sys


def best_run(folder):
    """The run that the sweep chose."""
    return (folder / "student" / "best").resolve().parent.parent


def validations(run):
    """(step, dev nll) of a run."""
    lines = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line["validation_loss"]) for line in lines if "validation_loss" in line]


def figures(folder):
    """Of the student of one cell and seed; None where they are not there yet."""
    table = folder / "table" / "table.json"
    if not table.exists():
        return None
    student = next(entry for entry in json.loads(table.read_text()) if entry["name"] == "student")
    state = json.loads((best_run(folder) / "checkpoints" / "last" / "trainer_state.json").read_text())
    return {
        "nll": student["nll"], "rouge": student.get("rougeL"), "forward": student["forwardKL"],
        "reverse": student["reverseKL"], "seconds": state["seconds"], "steps": state["step"],
        # A file `busy` beside it: the machine had other work, and the time says nothing.
        "is_busy": (folder / "busy").exists(),
        "rate": json.loads((folder / "student" / "sweep.json").read_text())[0]["learning_rate"], "folder": folder,
    }


def experiment(runs, name):
    """Cells by name, each with its seeds' figures; the methods lie by seed, the others by cell."""
    found = {}
    if name == "methods":
        places = [(cell.name, seed.name, cell) for seed in sorted(runs.glob("seed-*")) for cell in sorted(seed.iterdir())]
    else:
        places = [(cell.name, seed.name, seed) for cell in sorted((runs / name).glob("*"))
                  for seed in sorted(cell.glob("seed-*"))]
    for cell, seed, folder in places:
        row = figures(folder)
        if row:
            found.setdefault(cell, {})[seed] = row
    return found


def shown(values, digits=3):
    if None in values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def table(cells, base):
    """Rows in the order of KL(s,t); times are ratios to `base`, seed by seed."""
    lines = [
        f"| | seeds | nll | ROUGE-L | KL(t,s) | KL(s,t) | time of a run, of `{base}`'s | learning rates |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, seeds in sorted(cells.items(), key=lambda item: statistics.mean(s["reverse"] for s in item[1].values())):
        times = [s["seconds"] / cells[base][seed]["seconds"] for seed, s in seeds.items()
                 if seed in cells.get(base, {}) and not s["is_busy"]]
        rates = ", ".join(f"{rate:g}" for rate in sorted({s["rate"] for s in seeds.values()}))
        column = lambda key: shown([s[key] for s in seeds.values()])
        lines.append(
            f"| `{name}` | {len(seeds)} | {column('nll')} | {column('rouge')} | {column('forward')} "
            f"| {column('reverse')} | {shown(times, 1) if times else '-'} | {rates} |")
    return lines


def comparison(cells, base):
    """All methods beside each other: what they give, and what they take."""
    lines = [
        "| method | nll | ROUGE-L | KL(t,s) | KL(s,t) | time | memory, MiB | teacher's, MiB | own texts, MiB |",
        "| --- " * 9 + "|",
    ]
    for name, seeds in sorted(cells.items(), key=lambda item: statistics.mean(s["nll"] for s in item[1].values())):
        times = [s["seconds"] / cells[base][seed]["seconds"] for seed, s in seeds.items()
                 if seed in cells.get(base, {}) and not s["is_busy"]]
        column = lambda key: shown([s[key] for s in seeds.values()])
        costs = [json.loads(path.read_text()) for s in seeds.values() if (path := s["folder"] / "costs.json").exists()]
        def mean(key, unit, digits):
            known = [c[key] / unit for c in costs if c[key] is not None]
            return shown([statistics.mean(known)], digits) if known else "-"

        lines.append(
            f"| `{name}` | {column('nll')} | {column('rouge')} | {column('forward')} "
            f"| {column('reverse')} | {shown(times, 1) if times else '-'} | {mean('memory', 1, 0)} | {mean('cache', 2**20, 1)} "
            f"| {mean('own', 2**20, 1)} |")
    return lines


def turn(cells):
    """Of each place the losses beside each other."""
    places = {}
    for name, seeds in cells.items():
        place, loss = name.rsplit(", ", 1)
        places.setdefault(place, {})[loss] = seeds
    losses = ["fkl", "srkl adaptive", "srkl half its own"]
    lines = ["| | " + " | ".join(f"{loss}: nll, KL(s,t), rates" for loss in losses) + " |", "| --- " * 4 + "|"]
    for place in sorted(places, key=lambda text: [int(word) for word in text.split() if word.isdigit()]):
        row = []
        for loss in losses:
            seeds = list(places[place].get(loss, {}).values())
            rates = ", ".join(f"{rate:g}" for rate in sorted({s["rate"] for s in seeds}))
            row.append(f"{shown([s['nll'] for s in seeds])}; {shown([s['reverse'] for s in seeds])}; {rates}" if seeds else "-")
        lines.append(f"| {place} | " + " | ".join(row) + " |")
    return lines


def seconds_to(row, target):
    """Seconds until the dev nll was `target`, between validations along a line; None where it never was."""
    points = validations(best_run(row["folder"]))
    for (before, high), (after, low) in zip(points, points[1:]):
        if low <= target:
            part = (high - target) / (high - low) if high > target else 0
            return (before + part * (after - before)) / row["steps"] * row["seconds"]
    return None


def speed(cells):
    """On-policy against adaptive: time at equal steps, and until both have the dev nll that the worse one ends with."""
    lines = ["| loss | beside on-policy | equal steps | equal dev nll |", "| --- | --- | --- | --- |"]
    for loss in ("fkl", "srkl"):
        always = cells.get(f"{loss}, on-policy", {})
        for kind in ("adaptive, fresh", "adaptive, replay", "mixed .5"):
            other = cells.get(f"{loss}, {kind}", {})
            steps, quality = [], []
            for seed in sorted(set(always) & set(other)):
                steps.append(always[seed]["seconds"] / other[seed]["seconds"])
                worse = max(min(nll for _, nll in validations(best_run(row["folder"]))) for row in (always[seed], other[seed]))
                times = [seconds_to(row, worse) for row in (always[seed], other[seed])]
                if None not in times and times[1] > 0:
                    quality.append(times[0] / times[1])
            if steps:
                lines.append(f"| `{loss}` | {kind} | {shown(steps, 2)} | {shown(quality, 2) if quality else '-'} |")
    return lines


def hours(runs):
    """What each experiment took: students trained, and their time."""
    lines = ["| experiment | students trained | hours of one core |", "| --- | --- | --- |"]
    for name in ("methods", "losses", "losses-large", "losses-stories", "sources", "alpha", "replay", "turn"):
        folders = sorted(runs.glob("seed-*")) if name == "methods" else [runs / name]
        states = [state for folder in folders for state in folder.glob("**/student/lr-*/checkpoints/last/trainer_state.json")]
        if states:
            seconds = sum(json.loads(state.read_text())["seconds"] for state in states)
            lines.append(f"| `{name}` | {len(states)} | {seconds / 3600:.1f} |")
    return lines


def draw(runs, folder):
    try:
        import matplotlib
    except ImportError:
        print("experiments: matplotlib is not there (python3-matplotlib), the pictures stay as they are", file=sys.stderr)
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "decant"
    import matplotlib.pyplot as plot
    folder.mkdir(exist_ok=True)

    def save(name):
        plot.tight_layout()
        plot.savefig(folder / name, metadata={"Date": None})
        plot.close()

    for name in ("losses", "losses-large", "losses-stories"):
        cells = experiment(runs, name)
        if not cells:
            continue
        plot.figure(figsize=(6, 3.6))
        highest = 0
        for cell, seeds in cells.items():
            if "seed-1" in seeds:
                sweep = json.loads((seeds["seed-1"]["folder"] / "student" / "sweep.json").read_text())
                points = sorted((entry["learning_rate"], entry["score"]) for entry in sweep)
                plot.plot(*zip(*points), marker="o", markersize=3, label=cell)
                highest = max(highest, points[0][1])
        plot.xscale("log")
        plot.ylim(top=highest * 1.4)
        plot.xlabel("learning rate")
        plot.ylabel("dev nll")
        plot.legend(fontsize=7, ncol=2)
        save(f"{name}.svg")
    cells = experiment(runs, "sources")
    if cells:
        figure, panes = plot.subplots(1, 2, figsize=(8, 3.4), sharey=True)
        for pane, loss in zip(panes, ("fkl", "srkl")):
            for cell, seeds in cells.items():
                if cell.startswith(f"{loss}, ") and "seed-1" in seeds:
                    row = seeds["seed-1"]
                    points = validations(best_run(row["folder"]))
                    pane.plot([step / row["steps"] * row["seconds"] for step, _ in points], [nll for _, nll in points],
                              label=cell.split(", ", 1)[1])
            pane.set_title(loss, fontsize=9)
            pane.set_xlabel("seconds")
            pane.legend(fontsize=7)
        panes[0].set_ylabel("dev nll")
        save("sources.svg")


def main():
    runs, docs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    document = docs / "experiments.md"
    text = document.read_text()
    parts = {name: (table, base) for name, base in [
        ("methods", "kd"), ("losses", "fkl"), ("losses-large", "fkl"), ("losses-stories", "fkl"), ("sources", "fkl, fixed"),
        ("alpha", "skl, 0"), ("replay", "capacity: 1000")]}
    for name, (rows, base) in parts.items():
        cells = experiment(runs, name)
        if cells:
            text = put(text, name, rows(cells, base))
    for name, source, rows in [("turn", "turn", turn), ("speed", "sources", speed)]:
        cells = experiment(runs, source)
        if cells:
            text = put(text, name, rows(cells))
    document.write_text(put(text, "hours", hours(runs)))
    methods = docs / "methods.md"
    if cells := experiment(runs, "methods"):
        methods.write_text(put(methods.read_text(), "comparison", comparison(cells, "kd")))
    draw(runs, docs / "experiments")


def put(text, name, lines):
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    start = text.index(begin) + len(begin)
    return text[:start] + "\n" + "\n".join(lines) + "\n" + text[text.index(end):]


main()
