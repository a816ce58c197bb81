"""Attack the project at length, and write what it came to: `python benchmarks/survival.py` (`make survive`).

Runs `tests/survival` in its long form; further arguments are pytest's (`-k kills`).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from paired import write_table

TESTS = Path(__file__).parent.parent / "tests" / "survival"


def main() -> int:
    """Run the attacks; gives pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "survival.jsonl"
        command = [sys.executable, "-m", "pytest", str(TESTS), "-p", "no:cacheprovider", *sys.argv[1:]]
        env = os.environ | {"AE_SURVIVE": "long", "AE_SURVIVAL_LOG": str(log)}
        status = subprocess.run(command, env=env, check=False).returncode
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    header = ["attack", "tries", "found, all of which must be zero", "beside"]
    write_table("survival", "What attacks came to", header, [_cells(row) for row in rows])
    return status


def _cells(row: dict[str, Any]) -> list[str]:
    found = ", ".join(f"{count} {what}" for what, count in row["found"].items())
    return [row["attack"], str(row["tries"]), found, row["note"]]


if __name__ == "__main__":
    sys.exit(main())
