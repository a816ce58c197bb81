"""What happens around every run: parts are checked before work starts, MLflow records it, a summary is shown."""

import atexit
import logging
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.base.errors import InputError, TooFewLabels
from ae_pipelines.base.run import NO_RUN
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.models.contract import Task
from ae_pipelines.project.advice import advised, is_refusal
from ae_pipelines.project.locking import only_run
from ae_pipelines.project.summary import Summary
from ae_pipelines.samples.store import Samples
from ae_pipelines.tracking.encoders import folder_of
from ae_pipelines.tracking.runs import RunRecord, is_shared, open_run, secrets_among
from ae_pipelines.training.recipe import Recipe

log = logging.getLogger(__name__)

RUN = "run"
"""The input through which a node gets the run that it belongs to."""


@runtime_checkable
class NeedsSamples(Protocol):
    """Options of a stage that does not work with every set of samples."""

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if it does not work with these."""
        ...


@runtime_checkable
class NeedsRecipe(Protocol):
    """Options of a stage that does not work with every method."""

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if it does not work with this one."""
        ...


@runtime_checkable
class NeedsTask(Protocol):
    """Options of a stage that does not work with every shape that a recipe makes of samples."""

    def check_shapes(self, task: Task) -> None:
        """`InputError` if it does not work with this one."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """Options that name parts, which are looked up late, since that imports them."""

    def check(self) -> Any:
        """`InputError` if a part is unknown or does not take its options."""
        ...


class CheckHook:
    """Refuses what cannot work: parts before the first node runs, samples as soon as they are there, before
    training. A run without work does without these checks.

    What needs more labels than there are is refused where its stage was asked for by name; in a longer pipeline the
    stage is left out, which is said once.

    A recipe that names an MLflow run to start from is checked, and given to nodes, with the folder in its place; in a
    run that trains nothing, what it would start from need no longer exist.
    """

    def __init__(self) -> None:
        self._project = Path.cwd()
        self._folders: dict[str, Path] = {}
        self._trains = False
        self._unchecked: list[Checkable] = []
        self._needs: dict[str, NeedsSamples] = {}
        self._stages: list[NeedsRecipe] = []
        self._tasks: list[NeedsTask] = []
        self._recipe: Recipe | None = None
        self._secrets: list[str] = []
        self._asked_for: set[str] = set()
        self._left_out: set[str] = set()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._project, self._folders = context.project_path, {}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        inputs = {name for name in pipeline.inputs() if name.startswith("params:")}
        given = {name.removeprefix("params:"): catalog.load(name) for name in sorted(inputs)}
        values = list(given.values())
        self._unchecked = [value for value in values if isinstance(value, Checkable)]
        self._needs = {name: value for name, value in given.items() if isinstance(value, NeedsSamples)}
        self._stages = [value for value in values if isinstance(value, NeedsRecipe)]
        self._tasks = [value for value in values if isinstance(value, NeedsTask)]
        self._recipe = next((value for value in values if isinstance(value, Recipe)), None)
        self._secrets = secrets_among(run_params.get("runtime_params") or {})
        self._trains = "autoencoder" in pipeline.all_outputs()
        self._asked_for, self._left_out = set(run_params.get("pipeline_names") or ()), set()

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> dict[str, Any]:
        if self._secrets:
            raise InputError(
                f"parameter {self._secrets[0]} looks like a secret, and parameters are recorded: "
                "put it into conf/local/credentials.yml"
            )
        while self._unchecked:
            options = self._local(self._unchecked.pop())
            options.check()
            if isinstance(options, Recipe):
                for stage in self._stages:
                    stage.check_recipe(options)
        for samples in (value for value in inputs.values() if isinstance(value, Samples)):
            while self._needs:
                name, needing = self._needs.popitem()
                try:
                    self._local(needing).check_samples(samples)
                except TooFewLabels as error:
                    self._leave_out(name, str(error))
            while self._tasks and self._recipe:
                self._tasks.pop().check_shapes(self._recipe.task(samples))
        return {name: self._local(value) for name, value in inputs.items() if isinstance(value, Recipe)}

    @hook_impl(tryfirst=True)
    def before_dataset_saved(self, data: Any, node: Node) -> None:
        if isinstance(data, Skipped):
            self._leave_out(str(node.namespace).split(".")[0], data.why)

    def _leave_out(self, stage: str, why: str) -> None:
        """Say that a stage is left out; `InputError` if it was asked for by name."""
        if stage in self._asked_for:
            raise InputError(f"{why}, or run train, which leaves {stage} out then", stages=("train",))
        if stage not in self._left_out:
            log.warning("%s is left out, all else is done: %s", stage, why)
            self._left_out.add(stage)

    def _local(self, options: Any) -> Any:
        """A recipe whose initial encoder is on this machine; other options as they are."""
        if not isinstance(options, Recipe) or (address := options.training.initial_encoder) is None:
            return options
        if not self._trains:
            return options.starting_from(None)
        if address not in self._folders:
            self._folders[address] = folder_of(self._project, address)
        return options.starting_from(self._folders[address])


class LockHook:
    """One run at a time in a data folder; a second one ends at once."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._folder = Path()
        atexit.register(self._held.close)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._held.close()  # an earlier session in this process may have been interrupted
        self._folder = context.project_path / context.config_loader.data_dir  # type: ignore[attr-defined]

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        self._held.enter_context(only_run(self._folder, _name(run_params)))

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        self._held.close()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        self._held.close()


class TrackingHook:
    """One MLflow run for each Kedro run in which a node runs, or fails to. What is refused before the first node leaves
    none, except in a run that is shared with other processes.

    The status tells the truth: FINISHED, FAILED (an error), KILLED (SIGINT, SIGTERM; SIGKILL by the next
    start). Catalog entries say what is kept: `metadata: {mlflow: metrics}`, `artifact` or `id`. Nodes that report to
    their run, or note it in what they make, take it as the input `run`.
    """

    def __init__(self) -> None:
        self._record: RunRecord | None = None
        self.nothing_to_do: str | None = None
        """Why the last run had nothing to do; None if it had."""
        self._summary: Summary | None = None
        self._around = ExitStack()
        self._project, self._env = Path.cwd(), ""
        self._given: dict[str, Any] = {}
        self._started = time.time()
        atexit.register(self._end, "KILLED")

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._end("KILLED")  # an earlier session in this process that was interrupted
        self.nothing_to_do = None
        self._started = time.time()
        self._project, self._env = context.project_path, context.env or "local"
        self._given = dict(context._runtime_params or {})

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol, conf_catalog: dict[str, Any]) -> None:
        self._entries = list(conf_catalog)
        catalog[RUN] = MemoryDataset(NO_RUN, copy_mode="assign")  # until the first node starts and opens one

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        self._catalog, self._run_params, self._pipeline, self._summary = catalog, run_params, pipeline, None
        self._around.enter_context(_sigterm_as_exit())

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
        if self._record is not None and self._kept(dataset_name) == "id":
            self._record.tag(f"{dataset_name}.id", data.id)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        kept = self._kept(dataset_name)
        if self._record is None or kept is None or isinstance(data, Skipped):
            return
        if kept == "metrics":
            stage = dataset_name.removesuffix("_metrics")
            self._record.report({f"{stage}/{name}": float(value) for name, value in data.items()})
        elif kept == "artifact":
            self._record.artifact(_path(self._catalog, dataset_name), dataset_name)

    @hook_impl
    def after_pipeline_run(self) -> None:
        if self._record is None:
            self.nothing_to_do = "all that was asked for is there"
        elif why := self._record.skipped:
            self._record.tag("nothing_to_do", why)
            self.nothing_to_do = why
        self._end("FINISHED")
        if self.nothing_to_do:
            print(f"nothing to do: {self.nothing_to_do}", flush=True)
        elif self._summary is not None and (text := self._summary.text()):
            print(text, flush=True)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        if self._record is None and is_refusal(error) and not is_shared():
            self._end("FAILED")
            return
        try:
            self._open(run_params).tag("error", f"{type(error).__name__}: {advised(error)}"[:5000])
        finally:
            self._end("FAILED")

    def _open(self, run_params: dict[str, Any]) -> RunRecord:
        if self._record is None:
            name = _name(run_params)
            tags = {
                "pipeline": name,
                "env": self._env,
                "kedro.run_id": str(run_params["run_id"]),
                "git_sha": _git_sha(self._project),
            }
            self._record = open_run(self._project, name, self._started, tags)
            self._record.parameters({"given": self._given} if self._given else {})
        return self._record

    def _end(self, status: str) -> None:
        self._around.close()
        if self._record is not None:
            record, self._record = self._record, None
            record.end(status)

    def _kept(self, dataset_name: str) -> str | None:
        metadata = getattr(self._catalog.get(dataset_name), "metadata", None) or {}
        return metadata.get("mlflow")


def _name(run_params: dict[str, Any]) -> str:
    return "+".join(sorted(run_params.get("pipeline_names") or ["__default__"]))  # Kedro gives them in no fixed order


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


class _sigterm_as_exit:  # noqa: N801
    """Within this block SIGTERM ends the process as `SystemExit`, so that the run is closed on the way out."""

    def __enter__(self) -> None:
        self._here = threading.current_thread() is threading.main_thread()
        if self._here:
            self._before = signal.signal(signal.SIGTERM, self._exit)

    def __exit__(self, *_: object) -> None:
        if self._here:
            signal.signal(signal.SIGTERM, self._before)

    @staticmethod
    def _exit(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)
