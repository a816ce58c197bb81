"""Where runs and models are kept: a SQLite file in the project, or a server."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.secrets import without_secrets
from ae_pipelines.tracking import turns
from ae_pipelines.tracking.database import make_whole, unwritable

log = logging.getLogger(__name__)

EXPERIMENT = "ae_pipelines"


def store_uri(project: Path) -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _sqlite_uri((project / "mlflow.db").resolve())


def client_of(project: Path) -> Any:
    """A client of the store, created if missing. `InputError` if a SQLite file cannot be written, or is none, or a
    package is missing that another database needs."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # with its password; `page_of` has none
    import mlflow
    from mlflow import MlflowClient

    if "%" in mlflow.__file__:
        escape_in_alembic()
    uri = store_uri(project)
    if (database := _sqlite_file(uri)) is None:
        try:
            _open_experiment(client := MlflowClient(uri), uri)
        except ModuleNotFoundError as error:
            raise InputError(
                f"MLflow needs the package {error.name} for {printed(uri)}, and it is not installed: install it, or "
                "give another place by MLFLOW_TRACKING_URI"
            ) from error
        return client
    with _alone_with(database):
        make_whole(database, partial(_make, uri))
        _open_experiment(client := MlflowClient(uri), uri)
    return client


def _make(uri: str, database: Path) -> None:
    """MLflow's tables in a new file, and our experiment, as the store at `uri` will have it."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    try:
        store = SqlAlchemyStore(_sqlite_uri(database), DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        store.create_experiment(EXPERIMENT, artifact_location=_artifacts(uri))
        store.engine.dispose()  # closes the file
    except (MlflowException, SQLAlchemyError) as error:
        raise OSError(str(error).splitlines()[0]) from error


def _open_experiment(client: Any, uri: str) -> None:
    """See to it that our experiment is there, as another process may do at the same time."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(EXPERIMENT)
    try:
        if experiment is None:
            client.create_experiment(EXPERIMENT, artifact_location=_artifacts(uri))
        elif experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
            log.warning("the MLflow experiment %s had been deleted: it is restored, to record this run", EXPERIMENT)
    except MlflowException:
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None or found.lifecycle_stage == "deleted":
            raise


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
    uri = store_uri(Path.cwd())
    says = without_password(uri, str(error).rstrip("."))
    return (
        f"MLflow, which keeps runs and models in {printed(uri)}, says: {says}. What was deleted or moved there by hand "
        "can be restored there; then start again"
    )


def every(search: Callable[..., Any]) -> Iterator[Any]:
    """What a search of MLflow's, called with the `page_token` of the page that is next, finds on all pages."""
    page = None
    while page is None or page.token:
        page = search(page_token=page and page.token)
        yield from page


def printed(uri: str) -> str:
    """The address of a store as it may be printed: without who signs in, with which password."""
    if _sqlite_file(uri) is not None or "://" not in uri:
        return uri
    shown = urlsplit(without_secrets(uri))  # a password may hold a /, which ends what urlsplit takes for the host
    return shown._replace(netloc=shown.netloc.rpartition("@")[2], query="").geturl()


def without_password(uri: str, text: str) -> str:
    """A text in which the address of the store may be, with that as it may be `printed`."""
    signs_in = urlsplit(uri).netloc.rpartition("@")[0]
    text = text.replace(uri, printed(uri))
    return text.replace(f"{signs_in}@", "") if signs_in else text


def experiment_of(client: Any) -> str:
    """The id of our experiment."""
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def page_of(uri: str, run: Any) -> str | None:
    """Where a browser shows a run that a server keeps, without the password that the server's address may hold; None
    for a run in a file."""
    server = urlsplit(uri)
    if server.scheme not in ("http", "https"):
        return None
    place = urlsplit(printed(uri))._replace(path=server.path.rstrip("/") + "/")
    return place._replace(fragment=f"/experiments/{run.info.experiment_id}/runs/{run.info.run_id}").geturl()


@contextlib.contextmanager
def alone(project: Path) -> Iterator[None]:
    """Within this block no other process reads the same store to decide what to add to it: a run that processes share,
    a version, the champion."""
    if (database := _sqlite_file(store_uri(project))) is None:
        client = client_of(project)
        with turns.on_server(client, experiment_of(client)):
            yield
    else:
        with _alone_with(database):
            yield


@contextlib.contextmanager
def _alone_with(database: Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(turns.by_file(database))
        except OSError as error:
            raise unwritable(database, str(error)) from error
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
    """The file of a SQLite URI, whatever links lead to it: its lock is beside it; None for that of a server, or of
    memory."""
    begin = next((begin for begin in (SQLITE, ESCAPING) if uri.startswith(begin)), None)
    if begin is None or ":memory:" in uri:
        return None
    return Path(os.path.realpath(unquote(uri.removeprefix(begin).partition("?")[0])))
