#!/usr/bin/env python3
"""Writes costs.json into the folder of a method's pipeline: the memory that a run of its student expects to take, MiB, and the bytes of
what is kept of the teacher for it and of the student's own texts.

Usage: costs.py DECANT FOLDER
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def memory(decant, config):
    """What a run announces before its first step; it is ended then."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.Popen([decant, "train", "--config", str(config), "--output", f"{folder}/run"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        found = next((re.search(r"memory: about ([\d,]+) MiB", line) for line in run.stderr if "memory: about" in line), None)
        run.terminate()
        run.communicate()
        return int(found.group(1).replace(",", "")) if found else None


def main():
    decant, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    run = (folder / "student" / "best").resolve().parent.parent
    config = run / "config.yaml"
    cache = re.search(r"^teacher:\n(?:  .*\n)*?  cache: (.+)$", config.read_text(), re.MULTILINE)
    kept = 0
    if cache:
        info = subprocess.run([decant, "cache", "info", cache.group(1).strip('"'), "--json"], capture_output=True, text=True, check=True)
        kept = json.loads(info.stdout)["file_bytes"]
    own = sum(file.stat().st_size for file in (run / "replay").rglob("*") if file.is_file())
    costs = {"memory": memory(decant, config), "cache": kept, "own": own}
    (folder / "costs.json").write_text(json.dumps(costs) + "\n")


main()
