"""One trial: a training with some values, judged by samples of the train split that it has not learned from."""

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.pruning import PRUNERS, Curves
from ae_pipelines.tuning.space import changed

if TYPE_CHECKING:
    from ae_pipelines.models.method import Method

State = Literal["complete", "pruned", "failed"]
OUTCOME, CHECKPOINT, LATENTS = "outcome.json", "training.checkpoint", "latents.parquet"


@dataclass(frozen=True)
class Common:
    """What the trials of a study share."""

    samples: Path
    """The folder of the study's samples."""
    recipe: Recipe
    """As it is."""
    folder: Path
    """The study's own."""
    objectives: tuple[str, ...]
    pruner: str
    """Its name in `PRUNERS`."""
    seed: int

    def folder_of(self, number: int) -> Path:
        """Where a trial keeps what it has."""
        return self.folder / f"trial-{number:04d}"


@dataclass(frozen=True)
class Asked:
    """A trial that is to be done."""

    number: int
    """From 0, which is the recipe as it is."""
    values: dict[str, Any]
    """By path."""
    curves: Curves = field(default_factory=dict)
    """Of the trials that it may be compared with, while it learns; without any it learns to its end."""


@dataclass(frozen=True)
class Outcome:
    """A trial that has been done."""

    number: int
    state: State
    values: dict[str, Any]
    """What was asked, by path."""
    curve: list[float]
    """Validation loss by epoch."""
    measures: dict[str, float] = field(default_factory=dict)
    """By name: the objectives first, then what else was measured; empty unless it is complete."""
    seconds: float = 0.0
    """Of training; of one that was taken up, what its epochs would have taken at one go."""
    error: str | None = None
    """Why it failed."""


class Pruned(Exception):  # noqa: N818
    """A trial that is not worth going on with."""


def do(common: Common, asked: Asked) -> Outcome:
    """What becomes of a trial. It is kept, so that a trial that has been done is not done again; a training that was
    killed is taken up, and prunes itself in the same epoch: whether it goes on depends on its own curve and on those
    that it was given.

    What cannot be trained or judged with its values has failed; a fault of the disk is raised.
    """
    folder = common.folder_of(asked.number)
    if (found := kept(folder)) is not None:
        return found
    watch = _Watch(asked, common.pruner)
    try:
        with _quietly():
            measures = _measures(common, asked, watch, folder)
        outcome = watch.outcome("complete", measures=measures)
    except Pruned:
        outcome = watch.outcome("pruned")
    except OSError:  # such as a full disk, which the next trials would meet, too
        raise
    except Exception as error:  # values that nobody has tried together end a trial, not the study
        what = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        outcome = watch.outcome("failed", error=what)
    seals.write_text(folder / OUTCOME, json.dumps(asdict(outcome)))
    _clear(folder)
    return outcome


def kept(folder: Path) -> Outcome | None:
    """The outcome that a trial has left in its folder, if it has ended."""
    path = folder / OUTCOME
    seals.check(path, "remove it, and the trial is done again", stages=("tune",))
    return Outcome(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def recipe_of(recipe: Recipe, number: int, values: dict[str, Any]) -> Recipe:
    """What a trial trains: trial 0 the recipe as it is, others the recipe with their values."""
    return changed(recipe, values) if number else recipe


def _measures(common: Common, asked: Asked, watch: "_Watch", folder: Path) -> dict[str, float]:
    from ae_pipelines.latents.file import read_latents
    from ae_pipelines.latents.stream import write_latents
    from ae_pipelines.training.checkpoints import CheckpointFile
    from ae_pipelines.training.embedding import latent_stream
    from ae_pipelines.training.loop import train
    from ae_pipelines.tuning.objectives import Judged, built

    samples = Samples(common.samples)
    recipe = on_one_thread(recipe_of(common.recipe, asked.number, asked.values))
    objectives = [built(name) for name in common.objectives]
    for objective in objectives:
        objective.check_recipe(recipe)
    recipe.check_samples(samples)
    watch.begin(recipe.try_out(recipe.task(samples)))
    trained, _ = train(samples, recipe, CheckpointFile(folder / CHECKPOINT), watch)
    watch.end()
    write_latents(folder / LATENTS, latent_stream(trained, samples))
    judged = Judged(trained, recipe, samples, read_latents(folder / LATENTS), watch.seconds, common.seed)
    found = [objective.measures(judged) for objective in objectives]
    return _finite({name: float(value) for measures in found for name, value in measures.items()})


def _finite(measures: dict[str, float]) -> dict[str, float]:
    """The measures; `InputError` if one is NaN or infinite."""
    if wrong := [f"{name} is {value}" for name, value in measures.items() if not math.isfinite(value)]:
        raise InputError(f"it cannot be judged: {', '.join(wrong)}")
    return measures


class _Watch(Run):
    """The run of a trial's training: hears the loss of each epoch, and ends the training that is to be pruned."""

    def __init__(self, asked: Asked, pruner: str) -> None:
        self._asked, self._ends = asked, PRUNERS[pruner]
        self._curve: list[float] = []
        self._own = 0
        """Epochs of this process; those of an earlier one are told again when a training is taken up."""
        self._prunes = False
        self._began: float | None = None
        self.seconds = 0.0

    def begin(self, model: "Method") -> None:
        """The training of `model` begins. Only one that has a single loss from its first epoch to its last may be
        pruned: not layer after layer, and not players that oppose each other."""
        phases = model.phases()
        self._prunes = len(phases) == 1 and phases[0].judged and bool(self._asked.curves)
        self._began = time.monotonic()

    def end(self) -> None:
        """The training has ended."""
        if self._began is not None:
            took = time.monotonic() - self._began
            self.seconds = took * len(self._curve) / self._own if self._own else took
            self._began = None

    def report(self, metrics: dict[str, float], step: int) -> None:
        loss = _validation_loss(metrics)
        if loss is None:
            return
        self._curve.append(loss)
        self._own += any(name.endswith("/samples_per_second") for name in metrics)
        if self._prunes and self._ends(self._asked.number, self._curve, self._asked.curves):
            raise Pruned

    def outcome(self, state: State, **found: Any) -> Outcome:
        self.end()
        return Outcome(self._asked.number, state, self._asked.values, self._curve, seconds=self.seconds, **found)


def _validation_loss(metrics: Mapping[str, float]) -> float | None:
    """`<phase>/loss` among the metrics of an epoch; those of terms have longer names."""
    names = [name for name in metrics if name.endswith("/loss") and name.count("/") == 1]
    return metrics[names[0]] if names else None


def on_one_thread(recipe: Recipe) -> Recipe:
    """The recipe with a number of threads and a memory format, on which the last bits of what it learns depend: its
    own, or one thread and torch's format."""
    kept = recipe.training
    memory_format = "contiguous" if kept.memory_format == "auto" else kept.memory_format
    training = kept.model_copy(update={"threads": kept.threads or 1, "memory_format": memory_format})
    return recipe.model_copy(update={"training": training})


def _clear(folder: Path) -> None:
    """Leave only what was asked for and what came out, sealed: a checkpoint takes several times the room of the
    weights."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".json", seals.IN_FOLDER):
            seals.remove(path)
    seals.remove_leftovers(folder)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what a single training says of itself, which a study would repeat in every trial."""
    log = logging.getLogger("ae_pipelines")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
