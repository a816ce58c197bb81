"""What is refused: parts and options before the first node runs, samples as soon as they are there."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.base.errors import InputError, NothingThere, TooFewLabels
from ae_pipelines.base.skipped import NotAskedFor, Skipped
from ae_pipelines.models.contract import Task
from ae_pipelines.project.run_name import stage_of
from ae_pipelines.project.suiting import RECIPE
from ae_pipelines.samples.store import Samples
from ae_pipelines.tracking.encoders import folder_of
from ae_pipelines.training.recipe import Recipe

log = logging.getLogger(__name__)


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

    With `recipe=auto` the recipe is checked when it is known (`suiting.py`), which is before training, too.

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
        self._decided: Callable[[], Recipe] | None = None
        self._asked_for: set[str] = set()
        self._left_out: set[str] = set()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._project, self._folders = context.project_path, {}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        inputs = {name for name in pipeline.inputs() if name.startswith("params:")}
        given = {name.removeprefix("params:"): catalog.load(name) for name in sorted(inputs)}
        self._decided = None
        if (recipe := given.get("recipe")) is not None and recipe.undecided:
            self._decided = partial(catalog.load, RECIPE)
            del given["recipe"]
        values = list(given.values())
        self._unchecked = [value for value in values if isinstance(value, Checkable)]
        self._needs = {name: value for name, value in given.items() if isinstance(value, NeedsSamples)}
        self._stages = [value for value in values if isinstance(value, NeedsRecipe)]
        self._tasks = [value for value in values if isinstance(value, NeedsTask)]
        self._recipe = next((value for value in values if isinstance(value, Recipe)), None)
        self._trains = "autoencoder" in pipeline.all_outputs()
        self._asked_for, self._left_out = set(run_params.get("pipeline_names") or ()), set()

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> dict[str, Any]:
        self._take_up_recipe()
        while self._unchecked:
            options = self._local(self._unchecked.pop())
            options.check()
            if isinstance(options, Recipe):
                for stage in self._stages:
                    stage.check_recipe(options)
        if "source" in inputs:
            _refuse_missing(inputs["source"])
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

    def _take_up_recipe(self) -> None:
        """What `recipe=auto` stands for is checked as if it had been named, as soon as it is known."""
        if self._decided is not None and not (recipe := self._decided()).undecided:
            self._decided, self._recipe, self._needs["recipe"] = None, recipe, recipe
            self._unchecked.append(recipe)

    @hook_impl(tryfirst=True)
    def before_dataset_saved(self, data: Any, node: Node) -> None:
        if isinstance(data, Skipped) and not isinstance(data, NotAskedFor):
            self._leave_out(stage_of(node), data.why)

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


def _refuse_missing(source: Any) -> None:
    """`InputError` in the source's words if its path is mistyped, before there is a run; what is to be fetched may be
    missing."""
    path, fetched = getattr(source, "path", None), getattr(source, "fetch", None)
    if isinstance(path, Path) and fetched is None and not path.exists():
        with suppress(NothingThere):  # to be scored: then there is nothing to do
            source.spec()
