"""Where runs and models are kept: a SQLite file in the project, or a server."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

EXPERIMENT = "ae_pipelines"


def store_uri(project: Path) -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(project / 'mlflow.db').resolve()}"


def client_of(project: Path) -> Any:
    """A client of the store, created if missing; two processes that create a SQLite file at once would break it."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    uri = store_uri(project)
    with alone(project):
        client = MlflowClient(uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            client.create_experiment(EXPERIMENT, artifact_location=_artifacts(uri))
    return client


def experiment_of(client: Any) -> str:
    """The id of our experiment."""
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


@contextlib.contextmanager
def alone(project: Path) -> Iterator[None]:
    """Within this block no other process of this project reads a SQLite store to decide what to add to it."""
    database = _sqlite_file(store_uri(project))
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", is_singleton=True):  # whoever holds it may enter again
        yield


def _artifacts(uri: str) -> str | None:
    """Artifacts lie beside a SQLite file; a server has its own place for them."""
    database = _sqlite_file(uri)
    return None if database is None else (database.parent / "mlartifacts").resolve().as_uri()


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
