"""How seconds and memory of each stage grow with the number of rows: `python benchmarks/growth.py`.

Each stage is measured at 10 thousand to 10 million rows (images of 8 × 8, latents of 32 numbers), in a process of its
own that has done it once before with a thousand rows: what is imported, compiled and allocated whatever the
number of rows is not in the seconds, and is told beside the peak of memory. What has been measured is kept as JSON in
the folder, so that a run that was ended goes on where it was; `--again` measures the named stages anew.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from growth_made import MADE
from growth_stages import NEEDS, STAGES

ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
WARM_UP = 1_000


# -- one stage, in a process of its own ------------------------------------------------------------------


def measure(name: str, folder: Path, rows: int, warm: Path) -> dict[str, Any]:
    """Seconds, and bytes of memory at the start and at most."""
    STAGES[name](warm, WARM_UP)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here (proc(5))
    started, cpu = time.perf_counter(), time.process_time()
    STAGES[name](folder, rows)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"stage": name, "rows": rows, "seconds": seconds, "cpu": cpu, "before": before, "peak": _memory("VmHWM")}


def _memory(field: str) -> int:
    """Bytes, by the kernel's name: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


# -- all of them -----------------------------------------------------------------------------------------


class Runs:
    """Measurements in a folder: `<stage> <rows>.json`, and a folder of files for each number of rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def measured(self) -> list[dict[str, Any]]:
        """All that is there, by number of rows."""
        found = [json.loads(path.read_text()) for path in self._folder.glob("* *.json")]
        found = [row for row in found if row["stage"] in STAGES and row["rows"] != WARM_UP]
        return sorted(found, key=lambda row: row["rows"])

    def make(self, name: str, rows: int, again: bool = False) -> None:
        """Measure a stage, or make what is made up, unless it was done before."""
        note = self._folder / f"{name} {rows}.json"
        if note.exists() and not again:
            return
        for needed in NEEDS.get(name, ()):
            self.make(needed, rows)
            self.make(needed, WARM_UP)
        folder, warm = (self._folder / str(number) for number in (rows, WARM_UP))
        for path in (folder, warm):
            path.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--only", name, str(rows), "--folder", str(self._folder)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        note.write_text(answer.splitlines()[-1])
        if name in STAGES and rows != WARM_UP:
            print(_told(json.loads(note.read_text())), flush=True)

    def only(self, name: str, rows: int) -> dict[str, Any]:
        """The same in this process."""
        folder, warm = (self._folder / str(number) for number in (rows, WARM_UP))
        if name in STAGES:
            return measure(name, folder, rows, warm)
        MADE[name](folder, rows)
        return {"stage": name, "rows": rows}


def _told(row: dict[str, Any]) -> str:
    grown = (row["peak"] - row["before"]) / 1e6
    return (
        f"{row['stage']:>16} {row['rows']:>11,} rows {row['seconds']:9.2f} s, peak {row['peak'] / 1e6:7,.0f} MB, of "
        f"which {grown:7,.0f} MB are beyond the {row['before'] / 1e6:,.0f} MB at the start"
    )


def main(stages: list[str], rows: list[int], folder: Path, again: bool) -> None:
    runs = Runs(folder)
    for number in sorted(rows):
        for name in STAGES:
            if name in stages:
                runs.make(name, number, again)
    from growth_report import report  # imports matplotlib, and torch

    report(runs.measured(), list(STAGES))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--rows", nargs="+", type=lambda text: int(float(text)), default=list(ROWS))
    parser.add_argument(
        "--folder", type=Path, default=Path("build/growth"), help="where files, 10 GB, and measurements are kept"
    )
    parser.add_argument("--again", action="store_true", help="measure what has been measured before")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, number = arguments.only
        print(json.dumps(Runs(arguments.folder).only(name, int(number))))
    else:
        main(arguments.stages, arguments.rows, arguments.folder.absolute(), arguments.again)
