"""Any metric of a run, by its name."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from ae_pipelines.base.errors import InputError, first_of, suggestion
from ae_pipelines.comparison.scoreboard.board import LESS_IS_BETTER
from ae_pipelines.comparison.scoreboard.tasks import TASKS, TaskChoice
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.objectives import METRIC, OBJECTIVES, Judged, Objective

if TYPE_CHECKING:
    from ae_pipelines.training.trained import TrainedModel

FIT = "fit"
"""What metrics of the fit stage begin with."""
LOSSES = re.compile(r"test/|nll|restored_error$")
GAINS = re.compile(r"latent_effective_rank$|times_lower$|.*(accuracy|auroc)$")
"""Metrics of the fit stage of which less, or more, is better; of others neither is."""
ERROR_WITH = re.compile(r"error_with_(\d+)_labels")


@OBJECTIVES.register(METRIC)
class Metric(Objective):
    """A number of the scoreboard or of the fit stage, by its name, on samples that judge: `classify/accuracy`,
    `few_labels/error_with_100_labels`, `cluster/accuracy`, `neighbours/same_class`, `reconstruction/mse` (a task's kind
    and its metric), or `fit/test/autoencoder/reconstruction` (fit/ and a metric of the fit stage).

    Loss terms are misleading between recipes that minimise different ones, or on corrupted samples.
    """

    title = "a metric of the run"
    misleads = "says just what it says: loss terms cannot be compared between recipes with different losses"

    def __init__(self, *, metric: str) -> None:
        kind, _, self._metric = metric.partition("/")
        self.name = metric
        self._measure: _OfFit | _OfTask = _OfFit(self._metric) if kind == FIT else _OfTask(kind, self._metric)
        self.higher_is_better = self._measure.higher_is_better

    def measures(self, judged: Judged) -> dict[str, float]:
        found = self._measure.found(judged)
        if self._metric not in found:
            raise InputError(
                f"tune.objective={self.name}: this trial has no such metric; it has {first_of(sorted(found)) or 'none'}"
            )
        return {self.name: float(found[self._metric])}

    def check(self, recipe: Recipe, samples: Samples) -> None:
        super().check(recipe, samples)
        self._measure.check(recipe, samples)

    def check_recipe(self, recipe: Recipe) -> None:
        super().check_recipe(recipe)
        if self._measure.decodes:
            recipe.check_ability("decode", f"tune.objective={self.name}")


@dataclass(frozen=True)
class _OfTask:
    """Metrics of a task of the scoreboard."""

    kind: str
    metric: str

    def __post_init__(self) -> None:
        if self.kind not in (kinds := [kind for kind in TASKS.kinds() if not TaskChoice(kind=kind).build().teaches]):
            raise InputError(
                f"tune.objective={self.kind}/{self.metric}: no metrics of {self.kind!r}; "
                f"{suggestion(self.kind, [*kinds, FIT])}"
            )
        if self.metric not in (known := self._task.metrics):
            raise InputError(
                f"tune.objective={self.kind}/{self.metric}: {self.kind} has no metric {self.metric!r}; "
                f"{suggestion(self.metric, list(known))}"
            )

    @property
    def higher_is_better(self) -> bool:
        return not self.metric.startswith(LESS_IS_BETTER)

    @property
    def decodes(self) -> bool:
        return bool(self._task.decodes)

    @cached_property
    def _task(self) -> Any:
        return TaskChoice(kind=self.kind, **self._options).build()

    @property
    def _options(self) -> dict[str, Any]:
        """With the number of labels that the metric names, and no other."""
        found = ERROR_WITH.fullmatch(self.metric)
        if found is None or self.kind != "few_labels":
            return {}
        return {"by": {"kind": "label_spreading", "few_labels": [int(found[1])]}}

    def found(self, judged: Judged) -> dict[str, float]:
        metrics: dict[str, float] = self._task(_OneEncoding(judged.samples.classes(), judged.latents), judged.seed)
        return metrics

    def check(self, recipe: Recipe, samples: Samples) -> None:
        self._task.check_samples(samples)
        found = ERROR_WITH.fullmatch(self.metric)
        train = samples.label_counts().get("train", default=pd.Series(dtype=int)).sum()
        if found and not len(samples.classes()) <= int(found[1]) < train:
            raise InputError(
                f"tune.objective={self.kind}/{self.metric}: trials learn from {train} labelled samples of "
                f"{len(samples.classes())} classes: name fewer labels than that, and one of each class at least"
            )


@dataclass(frozen=True)
class _OneEncoding:
    """Latents of one encoder, for a task that needs no other."""

    classes: tuple[str, ...]
    found: Latents

    def latents(self, normal_labels: tuple[str, ...] = ()) -> Latents:
        return self.found


@dataclass(frozen=True)
class _OfFit:
    """Metrics of the fit stage."""

    metric: str

    def __post_init__(self) -> None:
        if not (LOSSES.match(self.metric) or GAINS.match(self.metric)):
            raise InputError(
                f"tune.objective={FIT}/{self.metric}: it is not known whether more or less of it is better. Give a "
                f"loss term, such as {FIT}/test/autoencoder/reconstruction, or another objective"
            )

    decodes = False

    @property
    def higher_is_better(self) -> bool:
        return not LOSSES.match(self.metric)

    def found(self, judged: Judged) -> dict[str, float]:
        return _evaluated(judged.trained, judged.samples, judged.recipe)

    def check(self, recipe: Recipe, samples: Samples) -> None:
        """By what a model gives that has not learned."""
        known = sorted(_evaluated(_untrained(recipe, samples), samples, recipe))
        known = [name for name in known if LOSSES.match(name) or GAINS.match(name)]
        if self.metric not in known:
            raise InputError(
                f"tune.objective={FIT}/{self.metric}: models of recipe {recipe.name} have no metric {self.metric!r}; "
                f"{suggestion(self.metric, known)}"
            )


def _evaluated(trained: "TrainedModel", samples: Samples, recipe: Recipe) -> dict[str, float]:
    from ae_pipelines.training.evaluation import evaluate

    return evaluate(trained, samples, recipe)


def _untrained(recipe: Recipe, samples: Samples) -> "TrainedModel":
    import torch

    from ae_pipelines.training.trained import TrainedModel

    task = recipe.task(samples)
    with torch.random.fork_rng():
        return TrainedModel.of(recipe.model.build(task).eval(), recipe, task, samples)
