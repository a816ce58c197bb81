"""Files that someone crafted: none of them runs code, takes more than 1 GB, or ends in anything but one sentence."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import crafted
import crafted_files  # noqa: F401  registers the cases
from attacks import LONG
from making import PATIENCE

MOST_MB = 1000


def tried(cases: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """How each ends, in processes in which nothing else happens: a new one after a case that ends its process."""
    found: list[dict[str, Any]] = []
    while left := cases[len(found) :]:
        command = [sys.executable, crafted.__file__, str(folder), *left]
        output = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 4).stdout
        found += [json.loads(line) for line in output.splitlines()]
        if len(found) < len(cases):
            found.append({"case": cases[len(found)], "end": "died", "said": "", "peak": 0, "code": False})
    return found


def test_crafted_files_run_no_code_and_are_refused_in_one_sentence_within_bounds(tmp_path, record):
    cases = [name for name, case in crafted.CASES.items() if case.short or LONG]
    ends = tried(cases, tmp_path)
    odd = {
        "code run": [end["case"] for end in ends if end["code"]],
        "peak above 1 GB": [end["case"] for end in ends if end["peak"] > MOST_MB],
        "no sentence": [end["case"] for end in ends if not _is_answered(end)],
    }
    largest = max(ends, key=lambda end: end["peak"])
    record(
        "crafted files",
        len(cases),
        {what: len(names) for what, names in odd.items()},
        f"largest peak: {largest['peak']} MB ({largest['case']})",
    )
    assert not any(odd.values()), [end for end in ends if any(end["case"] in names for names in odd.values())]


def _is_answered(end: dict[str, Any]) -> bool:
    """Whether it was refused in one line, or read where that does no harm."""
    if end["end"] == "read":
        return not crafted.CASES[end["case"]].refused
    return end["end"] == "refused" and "\n" not in end["said"]
