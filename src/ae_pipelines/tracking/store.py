"""Where runs and models are kept: a SQLite file in the project, or a server."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

log = logging.getLogger(__name__)

EXPERIMENT = "ae_pipelines"


def store_uri(project: Path) -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _sqlite_uri((project / "mlflow.db").resolve())


def client_of(project: Path) -> Any:
    """A client of the store, created if missing; two processes that create a SQLite file at once would break it."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow
    from mlflow import MlflowClient

    if "%" in mlflow.__file__:
        escape_in_alembic()
    uri = store_uri(project)
    with alone(project):
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            client.create_experiment(EXPERIMENT, artifact_location=_artifacts(uri))
        elif experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
            log.warning("the MLflow experiment %s had been deleted: it is restored, to record this run", EXPERIMENT)
    return client


@cache
def escape_in_alembic() -> None:
    """Let MLflow lie in a folder with a `%`: alembic, which it makes databases with, would take that for a variable."""
    from alembic.config import Config

    given = Config.set_main_option

    def set_main_option(config: Config, name: str, value: str) -> None:
        given(config, name, value.replace("%", "%%") if name == "script_location" else value)

    Config.set_main_option = set_main_option  # type: ignore[assignment, method-assign]


def said_by_mlflow(error: BaseException) -> str | None:
    """What to tell of an error of MLflow's, in which nothing of ours can be mended; None for other errors."""
    of_mlflow = sys.modules.get("mlflow.exceptions")
    if of_mlflow is None or not isinstance(error, of_mlflow.MlflowException):
        return None
    return (
        f"MLflow, which keeps runs and models in {store_uri(Path.cwd())}, says: {str(error).rstrip('.')}. "
        "What was deleted or moved there by hand can be restored there; then start again"
    )


def experiment_of(client: Any) -> str:
    """The id of our experiment."""
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def page_of(uri: str, run: Any) -> str | None:
    """Where a browser shows a run that a server keeps, without the password that the server's address may hold; None
    for a run in a file."""
    server = urlsplit(uri)
    if server.scheme not in ("http", "https"):
        return None
    place = server._replace(netloc=server.netloc.rpartition("@")[2], path=server.path.rstrip("/") + "/", query="")
    return place._replace(fragment=f"/experiments/{run.info.experiment_id}/runs/{run.info.run_id}").geturl()


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


SQLITE, ESCAPING = "sqlite:///", "sqlite+pysqlite:///"
"""Beginnings of the URI of a SQLite file. Where letters are escaped it names its driver too: MLflow would take the
escaped path for that of a folder, and make that."""
ESCAPED = str.maketrans({"%": "%25", "?": "%3F", "#": "%23"})


def _sqlite_uri(database: Path) -> str:
    path = str(database)
    escaped = path.translate(ESCAPED)
    return (SQLITE if escaped == path else ESCAPING) + escaped


def _sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite URI; None for that of a server."""
    begin = next((begin for begin in (SQLITE, ESCAPING) if uri.startswith(begin)), None)
    return None if begin is None else Path(unquote(uri.removeprefix(begin).partition("?")[0]))
