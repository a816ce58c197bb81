"""One MLflow run for each piece of work, which several processes may share.

Processes started with the same `AE_RUN=<group>/<name>` (an orchestrator's tasks, and their retries) write to one run,
whose name begins with the group's, and which stays open until `tracking.__main__` closes it.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.samples.store import Samples
from ae_pipelines.tracking.chart_names import charted
from ae_pipelines.tracking.datasets import dataset_input
from ae_pipelines.tracking.parameters import recorded
from ae_pipelines.tracking.process import HOST, still_there, this_process
from ae_pipelines.tracking.store import alone, client_of, experiment_of, page_of

SHARED = "AE_RUN"
"""The environment variable that names a run of several processes; in lower case, the tag by which they find it."""
GROUP, PROJECT, CLOSED_BY = "ae_run.group", "ae_run.project", "ae.closed_by"
"""Names of tags."""
LARGEST_BATCH = 1000
"""The most metrics that MLflow takes in one request."""
SEND_EVERY = 1.0
"""Seconds between two requests."""
OF_TIME = ("seconds", "per_second")
"""Endings of the names of metrics that are durations or rates."""
WORKED_ON = ("source", "recipe")
"""Tags that say what a run works on, in the order in which they stand in its name."""
PARENT = "mlflow.parentRunId"
"""The tag by which MLflow shows a run below another."""
NOTE = "mlflow.note.content"
"""The tag whose Markdown MLflow shows as the run's description."""
LONGEST_NOTE = 7900
"""The longest note, in characters; MLflow takes 8,000."""
LONGEST_PART = 60
"""The longest part of a run's name, in characters; MLflow takes 250 in all."""


class RunRecord(Run):
    """One MLflow run, from its creation, or from when this process joins it, until `end`."""

    def __init__(self, client: Any, run: Any, project: Path, tags: dict[str, str], shared: bool = False) -> None:
        self._client, self._project, self._tags, self._shared = client, project, tags, shared
        self.id: str = run.info.run_id
        self.started: float = run.info.start_time / 1000
        self.address = page_of(client.tracking_uri, run)
        self.skipped: str | None = None
        """Why there was nothing to do, if there was not."""
        self._experiment: str = run.info.experiment_id
        self._known: dict[str, str] = dict(run.data.tags)
        self._logged: dict[str, str] = dict(run.data.params)
        self._recorded: dict[str, dict[int, float]] = {}
        self._waiting: list[Any] = []
        self._datasets: set[str] = set()
        self._sent_at = 0.0

    def parameters(self, values: dict[str, Any]) -> None:
        """Record (nested) values flat, each under its dotted name, except what looks like a secret; what is
        recorded already is left alone."""
        from mlflow.entities import Param

        new = {name: text for name, text in recorded(values).items() if name not in self._logged}
        self._logged |= new
        if new:
            self._client.log_batch(self.id, params=[Param(name, text) for name, text in new.items()])

    def report(self, metrics: dict[str, float], step: int = 0) -> None:
        """Record these values at a step, under their `chart_names`, unless an earlier try has; they are sent together,
        about once a second."""
        from mlflow.entities import Metric

        now = time.time()
        self._waiting += [
            Metric(name, value, int(now * 1000), step)
            for name, value in charted(metrics).items()
            if self._is_new(name, value, step)
        ]
        if now - self._sent_at >= SEND_EVERY:
            self.send()

    def _is_new(self, name: str, value: float, step: int) -> bool:
        """Whether no earlier try of this run has recorded the same; durations differ from try to try, and the first
        ones stay."""
        if not self._shared:
            return True
        if name not in self._recorded:
            history = self._client.get_metric_history(self.id, name)
            self._recorded[name] = {point.step: point.value for point in history}
        before = self._recorded[name].get(step)
        self._recorded[name][step] = value
        return before is None or (before != value and not name.endswith(OF_TIME))

    def send(self) -> None:
        """Record what waits."""
        waiting, self._waiting, self._sent_at = self._waiting, [], time.time()
        for start in range(0, len(waiting), LARGEST_BATCH):
            self._client.log_batch(self.id, metrics=waiting[start : start + LARGEST_BATCH])

    def artifact(self, path: Path, folder: str) -> None:
        """Keep a copy of a file, or of a folder's files."""
        keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        keep(self.id, str(path), folder)

    def tag(self, name: str, value: str) -> None:
        """Say of this run what it can be found by; a value that is there is replaced."""
        self._client.set_tag(self.id, name, value)

    def works_on(self, about: dict[str, str]) -> None:
        """Say what it works on (`source`, `recipe`), as tags and in its name."""
        new = {name: value for name, value in about.items() if self._known.get(name) != value}
        for name, value in new.items():
            self.tag(name, value)
        if new:
            self._known |= new
            first = self._known.get(GROUP, self._known.get("pipeline", ""))
            self._client.update_run(self.id, name=called(first, self._known))

    def samples(self, samples: Samples, context: str) -> None:
        """Record a sample store as MLflow's data set, once; `context` says what it is used for."""
        if samples.id not in self._datasets:
            self._datasets.add(samples.id)
            self._client.log_inputs(self.id, [dataset_input(samples, context)])

    def note(self, text: str) -> None:
        """What is shown on top of the run: Markdown."""
        self.tag(NOTE, text if len(text) <= LONGEST_NOTE else f"{text[:LONGEST_NOTE]} …")

    @property
    def asked_for(self) -> str:
        """The pipeline, or the stages of all processes, joined by +."""
        return self._known["pipeline"]

    def link_to(self, artifact: str) -> str:
        """Where MLflow's own pages show a file that the run has kept."""
        return f"#/experiments/{self._experiment}/runs/{self.id}/artifacts/{artifact}"

    def skip(self, reason: str) -> None:
        super().skip(reason)
        self.skipped = reason

    @contextlib.contextmanager
    def part(self, name: str, parameters: dict[str, Any]) -> Iterator[Run]:
        """A run nested in this one, closed with its outcome."""
        part = new_run(self._project, name, time.time(), self._of_a_part())
        status = "FAILED"
        try:
            part.parameters(parameters)
            yield part
            status = "FINISHED"
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            part.end(status)

    def _of_a_part(self) -> dict[str, str]:
        """Tags of a nested run, which may have a recipe of its own."""
        return {name: value for name, value in self._tags.items() if name != "recipe"} | {PARENT: self.id}

    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED; a shared one stays open unless something failed."""
        try:
            self.send()
        finally:
            if not (self._shared and status == "FINISHED"):
                self._client.set_terminated(self.id, status)


def open_run(project: Path, name: str, started: float, tags: dict[str, str]) -> RunRecord:
    """A run that started at `started` (seconds since the epoch); the one that `AE_RUN` names, if it does."""
    shared = os.environ.get(SHARED, "")
    if shared:
        return shared_run(project, shared, started, tags)
    return new_run(project, called(name, tags), started, tags)


def is_shared() -> bool:
    """Whether several processes write to the run of this one."""
    return bool(os.environ.get(SHARED))


def new_run(project: Path, name: str, started: float, tags: dict[str, str]) -> RunRecord:
    """A run of this process alone."""
    client = client_of(project)
    experiment = experiment_of(client)
    close_abandoned(client, experiment)
    run = client.create_run(experiment, int(started * 1000), tags | this_process(), name)
    return RunRecord(client, run, project, tags)


def called(first: str, tags: dict[str, str]) -> str:
    """A run's name, such as `train · digits · conv`: what was asked for, and on what it works as far as tags say."""
    parts = [first.strip("_"), *(tags[name] for name in WORKED_ON if name in tags)]
    return " · ".join(part[:LONGEST_PART] for part in parts)


def shared_run(project: Path, shared: str, started: float, tags: dict[str, str]) -> RunRecord:
    """The run that processes with this name share: joined, or created by the first of them."""
    _refuse_unquotable(shared)
    client = client_of(project)
    experiment = experiment_of(client)
    group = shared.partition("/")[0]
    with alone(project):
        close_abandoned(client, experiment)
        found = find_shared(client, project, shared)
        if found is None:
            own = {SHARED.lower(): shared, GROUP: group, PROJECT: _of(project)}
            run = client.create_run(experiment, int(started * 1000), tags | own | this_process(), called(group, tags))
            _close_earlier(client, experiment, project, group, but=run.info.run_id)
            return RunRecord(client, run, project, tags, shared=True)
        _join(client, found, tags)
        return RunRecord(client, client.get_run(found.info.run_id), project, tags, shared=True)


def find_shared(client: Any, project: Path, shared: str) -> Any | None:
    """The run of that name, if this project has one; others may use the same server."""
    query = f"tags.`{SHARED.lower()}` = '{shared}' and tags.`{PROJECT}` = '{_of(project)}'"
    found = client.search_runs([experiment_of(client)], query, max_results=1)
    return found[0] if found else None


def _of(project: Path) -> str:
    """A project's path in a form that a query can hold."""
    return canonical_sha256(str(project.resolve()))[:16]


def _refuse_unquotable(shared: str) -> None:
    if not re.fullmatch(r"[\w+:./ @-]+", shared):
        raise InputError(f"{SHARED}: given {shared!r}, expected <group>/<name> of letters, digits and _ + : . / @ -")


def close_shared(project: Path, shared: str, status: str) -> str | None:
    """Close the run of that name; gives its id, None if there is none."""
    _refuse_unquotable(shared)
    client = client_of(project)
    if (run := find_shared(client, project, shared)) is None:
        return None
    client.set_terminated(run.info.run_id, status)
    return str(run.info.run_id)


def _join(client: Any, run: Any, tags: dict[str, str]) -> None:
    """Open it again for this process; the error of an earlier try is kept under another name."""
    earlier = run.data.tags
    stages = [stage for stage in (earlier.get("pipeline"), tags.get("pipeline")) if stage]
    names = dict.fromkeys(name for stage in stages for name in stage.split("+"))
    if error := earlier.get("error"):
        client.set_tag(run.info.run_id, "earlier_error", error)
    for name in {"error", "nothing_to_do", CLOSED_BY} & {*earlier}:
        client.delete_tag(run.info.run_id, name)
    for name, value in ({"pipeline": "+".join(names)} | this_process()).items():
        client.set_tag(run.info.run_id, name, value)
    client.update_run(run.info.run_id, status="RUNNING")


def _close_earlier(client: Any, experiment: str, project: Path, group: str, but: str) -> None:
    """A group has one run at work at a time: others that are open were abandoned."""
    of_group = f"tags.`{GROUP}` = '{group}' and tags.`{PROJECT}` = '{_of(project)}'"
    query = f"attributes.status = 'RUNNING' and {of_group}"
    for run in client.search_runs([experiment], query):
        if run.info.run_id != but:
            _kill(client, run, "the next run of its group")


def close_abandoned(client: Any, experiment_id: str) -> None:
    """Mark as KILLED the runs of this machine that are still open though their process is gone; a shared run
    may be about to be continued by another process."""
    of_here = f"tags.`{HOST}` = '{this_process()[HOST]}'"
    running = client.search_runs([experiment_id], f"attributes.status = 'RUNNING' and {of_here}")
    for run in running:
        if SHARED.lower() not in run.data.tags and not still_there(run.data.tags):
            _kill(client, run, "a later run: the process was gone")


def _kill(client: Any, run: Any, by: str) -> None:
    client.set_tag(run.info.run_id, CLOSED_BY, by)
    client.set_terminated(run.info.run_id, "KILLED")
