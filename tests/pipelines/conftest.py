"""Real Kedro runs of this project, with data and MLflow in a temporary folder."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import stores
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

SMALL = {"name": "dense", "training": {"epochs": 2, "threads": 1}}


@pytest.fixture(scope="session", autouse=True)
def quick_exports(operations_once: None) -> None:
    """Most of these runs export their models."""


@pytest.fixture(scope="session", autouse=True)
def quick_controls() -> Iterator[None]:
    """All but one of these runs compare controls by a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ae_pipelines.comparison.controls.ROWS", 120)
        patch.setattr("ae_pipelines.comparison.untrained.CENTROIDS", 16)
        yield


@pytest.fixture(autouse=True)
def mlflow_store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))
    return stores.address(tmp_path)


def run_in(folder: Path, *pipelines: str, only_missing: bool = False, **params: Any) -> Path:
    """Run pipelines in this process; gives the data folder."""
    bootstrap_project(PROJECT)
    given = {"data_dir": str(folder / "data"), "recipe": SMALL} | params
    with KedroSession.create(project_path=PROJECT, runtime_params=given) as session:
        session.run(pipeline_names=list(pipelines) or None, only_missing_outputs=only_missing)
    return folder / "data"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Run pipelines in this process; returns the data folder."""
    return partial(run_in, tmp_path)


@pytest.fixture
def ran(
    tmp_path: Path,
    mlflow_store: str,
    empty_store: Path,
    made_once: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Path]:
    """As `run`, for a test that begins where such a run has ended: all tests get copies of the same one."""

    def ran(*pipelines: str, **params: Any) -> Path:
        def fill(folder: Path) -> None:
            stores.copy(empty_store, folder)
            with monkeypatch.context() as patch:
                patch.setenv("MLFLOW_TRACKING_URI", stores.address(folder))
                run_in(folder, *pipelines, **params)

        asked = json.dumps([pipelines, params], sort_keys=True)
        stores.copy(made_once(f"run_{hashlib.sha256(asked.encode()).hexdigest()[:16]}", fill), tmp_path)
        return tmp_path / "data"

    return ran


@pytest.fixture
def kedro(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Start `kedro run` as a process of its own."""

    def start(*arguments: str, params: str = "", cwd: Path = PROJECT) -> subprocess.Popen:
        here = "" if "data_dir=" in params else f"data_dir={tmp_path / 'data'},"
        all_params = f"--params={here}{params}"
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", *arguments, all_params],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_as_in_a_terminal,
        )

    return start


def _as_in_a_terminal() -> None:
    """A shell's background jobs ignore SIGINT and hand that on; a user's run does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def mlflow_runs(mlflow_store: str) -> Callable[[], list]:
    """All runs recorded so far, oldest first."""

    def runs() -> list:
        from mlflow import MlflowClient

        client = MlflowClient(mlflow_store)
        experiments = [e.experiment_id for e in client.search_experiments()]
        return client.search_runs(experiments, order_by=["attributes.start_time ASC"])

    return runs
