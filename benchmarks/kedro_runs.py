"""Runs of `kedro run` as users start it, each once and in its own folder."""

import argparse
import json
import os
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
