"""The nightly job on MNIST, from training to drift: which verdicts it gives, and how many rows a second it scores.

Trains on 50,000 of MNIST's training images and scores others: as they are, turned by 90°, too few, some of them again,
and all 60,000. Everything is written below `--folder`; the commands are printed as they are run.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from paired import write_table

from ae_pipelines.samples.fetch import public_set
from ae_pipelines.samples.sources.idx import IdxFolder

PROJECT = Path(__file__).parents[1]
KEPT_BACK = 10_000
LEAST = 20_000
"""Rows per second that the dense encoder and what builds on it should score."""


VERDICTS = ["ok", "drift", "insufficient data", "nothing new", "ok", "ok"]


class Nightly:
    """Runs of the project on arrays in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}

    def run(self, pipeline: str, file: Path, *more: str) -> float:
        """`kedro run` on an array of images; gives the seconds it took."""
        params = [f"data_dir={self.data}", "source=array", f"source.path={file}", "source.layout=NHW", *more]
        command = ["kedro", "run", f"--pipeline={pipeline}", f"--params={','.join(params)}"]
        print(f"\n$ {shlex.join(command)}", flush=True)
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", *command], cwd=PROJECT, env=self._environment, check=True, stdout=subprocess.DEVNULL
        )
        return time.monotonic() - started

    def score(self, name: str, images: np.ndarray) -> dict[str, Any]:
        """Score an array; gives what the run reported."""
        file = self.folder / f"{name}.npy"
        np.save(file, images)
        seconds = self.run("score", file)
        metrics, drift = (self.report(name) for name in ("score_metrics", "drift"))
        return {
            "batch": name,
            "given": len(images),
            "scored": int(metrics["rows"]),
            "drift": drift["verdict"],
            "largest difference": round(self.report("drift_metrics").get("largest_statistic", 0.0), 3),
            "rows/s": int(metrics.get("rows_per_second", 0)),
            "whole run, s": round(seconds, 1),
        }

    def report(self, name: str) -> dict[str, Any]:
        return json.loads((self.data / "08_reporting" / f"{name}.json").read_text())

    def scored_contents(self) -> list[str]:
        """The sha256 of every row that was scored."""
        files = (self.data / "07_model_output" / "scores").glob("*/*.parquet")
        return [sha for file in files for sha in pq.read_table(file, columns=["sha256"]).column(0).to_pylist()]


def mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The 60,000 training images (n, 28, 28) and their labels; fetched if they are missing."""
    mnist = IdxFolder(path=folder, name="mnist", fetch=public_set("mnist"))
    blocks = [block for block in mnist.blocks() if "train" in block.ids[0]]
    return np.concatenate([block.values[:, 0] for block in blocks]), np.array(
        [label for block in blocks for label in block.labels or ()]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "nightly_demo")
    given = os.environ.get("AE_TEST_DATA")
    parser.add_argument("--raw", type=Path, default=Path(given) if given else PROJECT / "data" / "01_raw")
    parser.add_argument("--steps", type=int, default=2400, help="training steps")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = mnist(options.raw / "mnist")
    order = np.random.default_rng(0).permutation(len(images))  # they come in the order of their writers
    images, labels = images[order], labels[order]
    kept = images[-KEPT_BACK:]
    nightly = Nightly(folder)
    np.savez(folder / "train.npz", images=images[:-KEPT_BACK], labels=labels[:-KEPT_BACK])
    train = f"recipe=dense,recipe.training.steps={options.steps}"
    nightly.run("train", folder / "train.npz", "source.key=images", "source.labels=labels", train)
    registration = nightly.report("registration")
    print(f"\nregistered: {registration['why']}")
    table = [
        nightly.score("normal", kept[:5000]),
        nightly.score("turned_by_90", np.rot90(kept[5000:8000], axes=(1, 2))),
        nightly.score("too_few", kept[8000:8100]),
        nightly.score("normal_again", kept[:5000]),
        nightly.score("partly_new", np.concatenate([kept[2500:5000], kept[8100:]])),
        nightly.score("all_60000", images),
    ]
    print()
    rows = [[f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()] for row in table]
    title = "The nightly job on MNIST (rows/s: read, encode, decode, group, classify, flag, write; models are open)"
    write_table("nightly", title, list(table[0]), rows)
    contents = nightly.scored_contents()
    print(f"{len(contents):,} rows scored, {len(set(contents)):,} different contents")
    as_expected = {
        "verdicts": [row["drift"] for row in table] == VERDICTS,
        "only what is new": [row["scored"] for row in table[3:5]] == [0, 1900],
        "nothing twice": len(contents) == len(set(contents)),
        f"{LEAST:,} rows/s": table[-1]["rows/s"] >= LEAST,
    }
    for name, met in as_expected.items():
        print(f"{name:24}{'yes' if met else 'NO'}")
    return 0 if all(as_expected.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
