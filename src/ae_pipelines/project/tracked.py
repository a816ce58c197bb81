"""What MLflow records of a run, and what is shown at its end."""

import atexit
import logging
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.base.commands import told
from ae_pipelines.base.failures import naming
from ae_pipelines.base.run import NO_RUN
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.project.advice import advised, in_short, is_refusal
from ae_pipelines.project.locking import Taken
from ae_pipelines.project.note import Told, note
from ae_pipelines.project.notes import file_of
from ae_pipelines.project.refusals import input_error
from ae_pipelines.project.run_name import pipeline_of, worked_on
from ae_pipelines.project.sigterm import sigterm_as_exit
from ae_pipelines.project.suiting import RECIPE
from ae_pipelines.project.summary import Summary
from ae_pipelines.project.warned import ENTRY as WARNINGS
from ae_pipelines.project.warned import said_by
from ae_pipelines.samples.store import Samples
from ae_pipelines.tracking.parameters import recorded
from ae_pipelines.tracking.recorded import DATA_DIR
from ae_pipelines.tracking.runs import RunRecord, is_shared, open_run

log = logging.getLogger(__name__)

RUN = "run"
"""The input through which a node gets the run that it belongs to."""
USED_FOR = {"samples": "training", "new_samples": "scoring"}
"""What MLflow says that a catalog entry's samples are used for."""


class TrackingHook:
    """One MLflow run for each Kedro run in which a node runs, or fails to. What is refused before the first node leaves
    none, except in a run that is shared with other processes; what finds its data folder taken leaves nothing there
    either, since whoever is in the folder may work for the same run.

    The status tells the truth: FINISHED, FAILED (an error), KILLED (SIGINT, SIGTERM; SIGKILL by the next
    start). Catalog entries say what is kept: `metadata: {mlflow: metrics}`, `artifact` or `id`. Nodes that report to
    their run, or note it in what they make, take it as the input `run`.
    """

    def __init__(self) -> None:
        self._record: RunRecord | None = None
        self._opening = False
        """Whether a record was begun that there is none of: MLflow will not give one at the second try either."""
        self.nothing_to_do: str | None = None
        """Why the last run had nothing to do; None if it had."""
        self._summary: Summary | None = None
        self._around = ExitStack()
        self._project, self._env = Path.cwd(), ""
        self._data_dir = Path()
        self._given: dict[str, Any] = {}
        self._about: dict[str, str] = {}
        self._samples: dict[str, Samples] = {}
        self._started = time.time()
        atexit.register(self._end, "KILLED")

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._end("KILLED")  # an earlier session in this process that was interrupted
        self.nothing_to_do, self._opening = None, False
        self._started = time.time()
        self._project, self._env = context.project_path, context.env or "local"
        self._data_dir = (context.project_path / context.config_loader.data_dir).resolve()  # type: ignore[attr-defined]
        self._given = dict(context._runtime_params or {})
        self._about, self._samples = {}, {}

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol, conf_catalog: dict[str, Any]) -> None:
        self._entries, self._warnings = list(conf_catalog), file_of(conf_catalog, WARNINGS)
        catalog[RUN] = MemoryDataset(NO_RUN, copy_mode="assign")  # until the first node starts and opens one

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> Generator[None, Any, Any]:
        """Around those of all hooks: Kedro calls none where one of them refuses the run."""
        self._catalog, self._run_params, self._pipeline, self._summary = catalog, run_params, pipeline, None
        self._about, self._samples = {}, {}
        if RECIPE in pipeline.inputs():
            self._about |= worked_on(RECIPE, catalog.load(RECIPE))
        try:
            answers = yield
        except Taken:
            raise
        except Exception as error:
            self.on_pipeline_error(error, run_params)
            raise
        self._around.enter_context(sigterm_as_exit())
        return answers

    @hook_impl
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> dict[str, Any]:
        if self._summary is None:  # a misspelt field is refused before the work, not after it
            self._summary = Summary(self._pipeline, self._catalog, self._entries)
        record = self._open(self._run_params)
        record.parameters({"source": self._catalog.load("params:source")})
        record.parameters(
            {name.removeprefix("params:"): value for name, value in inputs.items() if name.startswith("params:")}
        )
        return {RUN: record} if RUN in inputs else {}

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        self._about |= worked_on(dataset_name, data)
        if self._kept(dataset_name) == "id":
            self._samples[dataset_name] = data
        if self._record is not None:
            self._say_on_what(self._record)

    def _say_on_what(self, record: RunRecord) -> None:
        """What was loaded so far says what the run works on; the first node's inputs are loaded before there is one."""
        record.works_on(self._about)
        while self._samples:
            name, samples = self._samples.popitem()
            record.tag(f"{name}.id", samples.id)
            record.samples(samples, USED_FOR.get(name, name))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        kept = self._kept(dataset_name)
        if self._record is None or kept is None or isinstance(data, Skipped):
            return
        if kept == "metrics":
            stage = dataset_name.removesuffix("_metrics")
            self._record.report({f"{stage}/{name}": float(value) for name, value in data.items()})
            self._record.send()  # what is marked as reported is on record, even if the run is killed now
        elif kept == "artifact":
            path = _path(self._catalog, dataset_name)
            with naming(Path(f"MLflow's copy of {path.name}")):
                self._record.artifact(path, dataset_name)

    @hook_impl
    def after_pipeline_run(self) -> None:
        if self._record is None:
            self.nothing_to_do = "all that was asked for is there"
        elif why := self._record.skipped:
            self._record.tag("nothing_to_do", why)
            self.nothing_to_do = why
        self._note(self.nothing_to_do and f"Nothing to do: {self.nothing_to_do}")
        self._end("FINISHED")
        if self.nothing_to_do:
            print(f"nothing to do: {self.nothing_to_do}", flush=True)
        elif self._summary is not None and (text := self._summary.text()):
            print(text, flush=True)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        if self._record is None and (self._opening or (is_refusal(error) and not is_shared())):
            self._end("FAILED")
            return
        try:
            self._record_error(error, run_params)
        except Exception as other:  # such as the full disk that ended the run: what is told is what ended it
            log.warning("MLflow does not know how this run ended: %s", told(in_short(other)))

    def _record_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """What can be recorded of it: where a tag finds no room, the status may."""
        try:
            said = told(f"{type(error).__name__}: {advised(input_error(error) or error)}")
            self._open(run_params).tag("error", said)
            self._note(f"Failed: {told(in_short(error))}"[:1000])
        finally:
            self._end("FAILED")

    def _open(self, run_params: dict[str, Any]) -> RunRecord:
        if self._record is None:
            name = pipeline_of(run_params)
            tags = {
                "pipeline": name,
                "env": self._env,
                DATA_DIR: str(self._data_dir),
                "kedro.run_id": str(run_params["run_id"]),
                "git_sha": _git_sha(self._project),
            }
            self._opening = True
            self._record = open_run(self._project, name, self._started, tags | self._about)
            self._opening = False
            self._say_on_what(self._record)
            self._record.parameters({"given": self._given} if self._given else {})
        return self._record

    def _note(self, outcome: str | None = None) -> None:
        """Say what was done and what came of it: numbers, or why there are none. Then files of an earlier run may be
        there, which are not this one's."""
        if (record := self._record) is None:
            return
        told = Told(record.asked_for, recorded(self._given), outcome)
        try:
            text = note(told if outcome else self._with_results(told, record))
        except Exception as error:  # whatever is amiss, the work is done
            log.warning("the note on this run has no numbers: %r", error)
            text = note(told)
        record.note(text)

    def _with_results(self, told: Told, record: RunRecord) -> Told:
        """What the whole run has made, by all its processes."""
        stages = record.asked_for.split("+")
        whole = self._pipeline
        if is_shared():
            whole = self._done(sum((pipelines[stage] for stage in stages), Pipeline([])), record.started or 0)
        stores = [name for name in self._entries if self._kept(name) == "id" and name in whole.datasets()]
        return replace(
            told,
            report=record.link_to("report/report.html") if "report" in whole.all_outputs() else None,
            samples=[self._catalog.load(name) for name in stores],
            summary=Summary(whole, self._catalog, self._entries),
            warned=said_by(whole, self._warnings),
        )

    def _done(self, whole: Pipeline, since: float) -> Pipeline:
        """What has been done since then; files that were there before are not of this run."""
        return Pipeline([node for node in whole.nodes if all(self._made_since(since, name) for name in node.outputs)])

    def _made_since(self, since: float, dataset_name: str) -> bool:
        path = getattr(self._catalog.get(dataset_name), "_filepath", None)
        places = [] if path is None else [Path(str(path)), Path(f"{path}.skipped")]
        return any(place.exists() and place.stat().st_mtime >= since for place in places)

    def _end(self, status: str) -> None:
        self._around.close()
        if self._record is not None:
            record, self._record = self._record, None
            record.end(status)

    def _kept(self, dataset_name: str) -> str | None:
        metadata = getattr(self._catalog.get(dataset_name), "metadata", None) or {}
        return metadata.get("mlflow")


def _path(catalog: CatalogProtocol, dataset_name: str) -> Path:
    return Path(str(catalog.get(dataset_name)._filepath))  # type: ignore[union-attr]


def _git_sha(project: Path) -> str:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()
