"""What users run, in folders of its own, once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def once(data: Path, pipelines: str, params: str) -> float:
    """Seconds that `kedro run` took on one thread, with its log beside what it wrote; it is not run again."""
    taken = data / "seconds"
    if not taken.exists():
        data.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        given = f"--params=data_dir={data},recipe.training.threads=1,{params}"
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{data.parent / 'mlflow.db'}"}
        with (data / "log").open("w") as log:
            command = [sys.executable, "-m", "kedro", "run", f"--pipelines={pipelines}", given]
            subprocess.run(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, check=True)
        taken.write_text(f"{time.monotonic() - started:.0f}")
    return float(taken.read_text())


def metrics(data: Path, stage: str) -> dict[str, float]:
    """What this stage measured."""
    return dict(json.loads((data / f"08_reporting/{stage}_metrics.json").read_text()))
