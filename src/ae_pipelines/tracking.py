"""Runs in MLflow: the only module that imports it, and only when there is something to record."""

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from ae_pipelines import progress

SECRET = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
EXPERIMENT = "ae_pipelines"
LONGEST_VALUE = 6000
"""Characters of a parameter; MLflow's limit."""
LARGEST_BATCH = 1000
"""Metrics in one request; MLflow's limit."""
SEND_EVERY = 1.0
"""Seconds."""


class RunRecord:
    """One MLflow run, open from its creation until `end`."""

    def __init__(self, project: Path, name: str, started: float, tags: dict[str, str]) -> None:
        """Open a run that started at `started` (seconds since the epoch)."""
        self._client, experiment_id = _store(project)
        close_abandoned(self._client, experiment_id)
        run = self._client.create_run(
            experiment_id, start_time=int(started * 1000), run_name=name, tags=tags | _this_process()
        )
        self.id: str = run.info.run_id
        self._project, self._tags = project, tags
        self._logged: dict[str, str] = {}
        self._waiting: list[Any] = []
        self._sent_at = 0.0

    def parameters(self, values: dict[str, Any]) -> None:
        """Record (nested) values flat, each under its dotted name, except what looks like a secret; what is
        recorded already is left alone."""
        from mlflow.entities import Param

        hidden = {*self._logged, *secrets_among(values)}
        new = {name: text for name, text in flat(values).items() if name not in hidden}
        self._logged |= new
        if new:
            self._client.log_batch(self.id, params=[Param(name, text) for name, text in new.items()])

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Record these values at a step; they are sent together, about once a second."""
        from mlflow.entities import Metric

        now = time.time()
        self._waiting += [Metric(name, value, int(now * 1000), step) for name, value in values.items()]
        if now - self._sent_at >= SEND_EVERY:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting, self._sent_at = self._waiting, [], time.time()
        for start in range(0, len(waiting), LARGEST_BATCH):
            self._client.log_batch(self.id, metrics=waiting[start : start + LARGEST_BATCH])

    def artifact(self, path: Path, folder: str) -> None:
        """Keep a copy of a file, or of a folder's files."""
        keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        keep(self.id, str(path), folder)

    def tag(self, name: str, value: str) -> None:
        self._client.set_tag(self.id, name, value)

    def working(self) -> AbstractContextManager[None]:
        """Within this block, what is reported goes to this run, and parts of the work become runs below it."""
        return progress.run(progress.Run(self.id, self.metrics, self._part))

    @contextlib.contextmanager
    def _part(self, name: str, parameters: dict[str, Any]) -> Iterator[progress.Run]:
        """A run below this one, closed with what became of it."""
        part = RunRecord(self._project, name, time.time(), self._tags | {"mlflow.parentRunId": self.id})
        status = "FAILED"
        try:
            part.parameters(parameters)
            yield progress.Run(part.id, part.metrics)
            status = "FINISHED"
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            part.end(status)

    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        try:
            self._send()
        finally:
            self._client.set_terminated(self.id, status)


def store_uri(project: Path) -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(project / 'mlflow.db').resolve()}"


def _store(project: Path) -> tuple[Any, str]:
    """A client and the id of our experiment. Under a lock: two starts on a fresh SQLite file break it."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    uri = store_uri(project)
    with _lock(uri):
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return client, experiment.experiment_id
        return client, client.create_experiment(EXPERIMENT, artifact_location=_artifacts(uri))


def _artifacts(uri: str) -> str | None:
    """Beside a SQLite file; a server knows its own place."""
    database = _sqlite_file(uri)
    return None if database is None else (database.parent / "mlartifacts").resolve().as_uri()


@contextlib.contextmanager
def _lock(uri: str) -> Iterator[None]:
    database = _sqlite_file(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        yield


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def close_abandoned(client: Any, experiment_id: str) -> None:
    """Mark as KILLED the runs of this machine that are still open though their process is gone."""
    host = socket.gethostname()
    running = client.search_runs([experiment_id], f"attributes.status = 'RUNNING' and tags.`ae.host` = '{host}'")
    for run in running:
        if not _still_there(run.data.tags):
            client.set_tag(run.info.run_id, "ae.closed_by", "a later run: the process was gone")
            client.set_terminated(run.info.run_id, "KILLED")


def _this_process() -> dict[str, str]:
    process = psutil.Process()
    return {
        "ae.host": socket.gethostname(),
        "ae.pid": str(process.pid),
        "ae.process_started": str(process.create_time()),
    }


def _still_there(tags: dict[str, str]) -> bool:
    try:
        started = psutil.Process(int(tags["ae.pid"])).create_time()
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False
    return abs(started - float(tags["ae.process_started"])) < 1.0


def secrets_among(values: dict[str, Any]) -> list[str]:
    """The dotted names that look like those of secrets."""
    return [name for name in flat(values) if SECRET.search(name)]


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested values by dotted name: {"a": {"b": 1}} → {"a.b": "1"}; options with their defaults."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict) and (value or not name):
        return {
            key: text
            for inner, part in value.items()
            for key, text in flat(part, f"{name}.{inner}" if name else str(inner)).items()
        }
    return {name: str(value)[:LONGEST_VALUE]}
