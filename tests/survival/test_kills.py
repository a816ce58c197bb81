"""SIGKILL at any moment of train and of score; then the same is run to its end, and all is audited."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import stores
from attacks import LONG, catalog_of, content, same, tries
from kedro.io import DatasetError
from making import PROJECT
from scoring.places import IMAGES, LABELS, Place, train

from ae_pipelines.scoring.model import ScoringModel

KILLS = tries(1, 30)
"""Of each of both."""
NEW = 60
STAGES = {"train": "train" if LONG else "ingest,fit,embed,cluster", "score": "score"}
SMALL = (
    "recipe=dense,recipe.training.epochs=3,recipe.training.threads=1,"
    "recipe.model.net.widths=[64],recipe.model.latent_size=8"
)
OF_NEW_ROWS = ("collect_metrics", "score_metrics", "drift_metrics", "drift_report")
"""Entries about rows that no run has reported before: nothing, if the killed run had come to its end."""
OTHERWISE = ("report", "given", "warnings", "registration")
"""Entries that tell of runs: they need only be there."""


def start(folder: Path, pipeline: str) -> subprocess.Popen:
    source = f"source=array,source.layout=NHW,source.path={folder}/new.npy"
    if pipeline == "train":
        source = f"source=array,source.layout=NHW,source.path={folder}/train.npz,source.key=values,source.labels=labels"
    command = [sys.executable, "-m", "kedro", "run", f"--pipelines={STAGES[pipeline]}"]
    return subprocess.Popen(
        [*command, f"--params=data_dir={folder}/data,{source},{SMALL}"],
        cwd=PROJECT,
        env=os.environ | {"MLFLOW_TRACKING_URI": stores.address(folder)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "said").open("w"),
        start_new_session=True,
    )


def finish(folder: Path, pipeline: str) -> None:
    assert start(folder, pipeline).wait(600) == 0, (folder / "said").read_text()[-3000:]


def results(folder: Path) -> dict:
    """What every entry of the catalog holds."""
    found = {}
    with catalog_of(folder / "data") as catalog:
        for name in catalog.keys():  # noqa: SIM118
            dataset = catalog.get(name)
            place = str(getattr(dataset, "_filepath", None))
            if place.startswith(str(folder)) and not name.startswith("other_") and dataset.exists():
                try:
                    found[name] = None if name in OTHERWISE else content(dataset.load())
                except DatasetError:
                    found[name] = None  # it is only looked at
    return found


@pytest.fixture(scope="module")
def undisturbed(made_once, empty_store):
    """A folder for each pipeline: where nothing has been run yet, and where it was run to its end."""

    def begin(folder):
        stores.copy(empty_store, folder)
        np.savez(folder / "train.npz", values=IMAGES[400:], labels=LABELS[400:])

    def after(pipeline, before):
        def fill(folder):
            stores.copy(before, folder)
            finish(folder, pipeline)

        return made_once(f"survived_{pipeline}", fill)

    def trained(folder):
        stores.copy(empty_store, folder)
        train(Place(folder), IMAGES, "NHW")

    def to_score(folder):
        stores.copy(made_once("trained_on_images", trained), folder)
        np.save(folder / "new.npy", IMAGES[:NEW])

    nothing, models = made_once("survived_nothing", begin), made_once("survived_models", to_score)
    return {"train": (nothing, after("train", nothing)), "score": (models, after("score", models))}


def audit(folder: Path, expected: dict, reported: bool) -> Counter:
    """What must never be found after a kill and a run to the end; `reported`: the killed run had told of all rows."""
    from mlflow import MlflowClient

    found = results(folder)
    if reported:
        found |= {name: expected[name] for name in OF_NEW_ROWS if name in found}
    both = {*found} & {*expected}
    different = {*found} ^ {*expected} | {name for name in both if not same(found[name], expected[name])}
    bad = Counter({f"different {name}": 1 for name in different})
    bad["different outputs"] += len(different)
    client = MlflowClient(stores.address(folder))
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    bad["untrue statuses"] += sum(run.info.status == "RUNNING" for run in runs)
    bad["untrue statuses"] += runs[0].info.status != "FINISHED"
    bad["temporary files"] += sum(".tmp" in path.name for path in folder.rglob("*"))
    for version in (folder / "mlartifacts").rglob("data/scoring_model"):
        ScoringModel(version).open()
    told = {run.data.metrics["score/rows"] for run in runs if "score/rows" in run.data.metrics}
    bad["wrong counts"] += "score_metrics" in expected and max(told) != NEW
    bad["wrong counts"] += not same(found.get("score_metrics"), expected.get("score_metrics"))
    return bad


def files_in(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))


def killed(folder: Path, pipeline: str, files: int, delay: float) -> None:
    """Start, and kill when so many files are there, or a moment later."""
    process = start(folder, pipeline)
    while process.poll() is None and files_in(folder) < files:
        time.sleep(0.005)
    time.sleep(delay)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["train", "score"])
def test_whatever_moment_a_kill_comes_the_same_run_ends_with_the_same_results(pipeline, undisturbed, tmp_path, record):
    before, whole = undisturbed[pipeline]
    expected, chance, found = results(whole), random.Random(7), Counter()
    for number in range(KILLS):
        folder = tmp_path / str(number)
        stores.copy(before, folder)
        files = chance.randrange(files_in(before), files_in(whole) + 1)
        killed(folder, pipeline, files, chance.uniform(0, 2) if LONG else 0)
        reported = any(folder.rglob("*.judged"))
        finish(folder, pipeline)
        found += audit(folder, expected, reported)
        shutil.rmtree(folder)
    bad = {kind: found[kind] for kind in ("different outputs", "untrue statuses", "temporary files", "wrong counts")}
    record(f"SIGKILL at a random moment of {pipeline}, then the same to its end", KILLS, bad)
    assert not any(bad.values()), found
