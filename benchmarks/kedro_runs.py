"""Runs of `kedro run` as users start it, each once and in its own folder.

`python benchmarks/kedro_runs.py --folder <data_dir of a whole run>` says what a run costs that has nothing to do,
beside what Kedro itself imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def recipes_and_folder(what: str, recipes: Sequence[str]) -> tuple[list[str], Path]:
    """The recipes and the folder that the command line names."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--recipes", nargs="*", default=recipes)
    arguments = parser.parse_args()
    return list(arguments.recipes), arguments.folder.resolve()


def once(data: Path, pipelines: str, params: str) -> float:
    """Seconds that `kedro run` took on one thread, with its log beside what it wrote; it is not run again."""
    kept = data / "seconds"
    if not kept.exists():
        data.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        given = f"--params=data_dir={data},recipe.training.threads=1,{params}"
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{data.parent / 'mlflow.db'}"}
        with (data / "log").open("w") as log:
            command = [sys.executable, "-m", "kedro", "run", f"--pipelines={pipelines}", given]
            subprocess.run(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, check=True)
        kept.write_text(f"{time.monotonic() - started:.0f}")
    return float(kept.read_text())


def metrics(data: Path, stage: str) -> dict[str, float]:
    """The metrics of this stage."""
    return dict(json.loads((data / f"08_reporting/{stage}_metrics.json").read_text()))


def cpu_seconds(words: Sequence[str], times: int = 5) -> float:
    """CPU, user and system, of `python <words>`: the least of some times, after one that is not counted."""

    def used() -> float:
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return of_children.ru_utime + of_children.ru_stime

    seconds = []
    for _ in range(times + 1):
        before = used()
        subprocess.run([sys.executable, *words], cwd=PROJECT, capture_output=True, check=True)
        seconds.append(used() - before)
    return min(seconds[1:])


def start_up(data: Path) -> str:
    """A table: CPU of a run whose results are all there, and of Kedro's own imports."""
    given = ["--pipeline=train", "--only-missing-outputs", f"--params=data_dir={data}"]
    kedro = cpu_seconds(["-c", "import kedro.framework.cli.cli, kedro.framework.session, kedro.runner"])
    ours = cpu_seconds(["-m", "kedro", "run", *given])
    return f"| | CPU, s |\n|---|---|\n| Kedro's imports | {kedro:.2f} |\n| a run without work | {ours:.2f} |"


if __name__ == "__main__":
    print(start_up(recipes_and_folder(__doc__ or "", [])[1]))
