"""Real Kedro runs of this project, with data and MLflow in a temporary folder."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

SMALL = {"name": "dense", "training": {"epochs": 2, "threads": 1}}


@pytest.fixture(autouse=True)
def mlflow_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Run pipelines in this process; returns the data folder."""
    bootstrap_project(PROJECT)

    def run(*pipelines: str, only_missing: bool = False, **params: Any) -> Path:
        data = tmp_path / "data"
        given = {"data_dir": str(data), "recipe": SMALL} | params
        with KedroSession.create(project_path=PROJECT, runtime_params=given) as session:
            session.run(pipeline_names=list(pipelines) or None, only_missing_outputs=only_missing)
        return data

    return run


@pytest.fixture
def kedro(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Start `kedro run` as a process of its own."""

    def start(*arguments: str, params: str = "", cwd: Path = PROJECT) -> subprocess.Popen:
        all_params = f"--params=data_dir={tmp_path / 'data'}" + (f",{params}" if params else "")
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
