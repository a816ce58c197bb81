"""What a recipe may be tuned for: each module here has one objective, found by its kind."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

if TYPE_CHECKING:
    from ae_pipelines.training.trained import TrainedModel
    from ae_pipelines.tuning.harmless import BothWays

OBJECTIVES = Registry("objective", __name__)
AUTO = "auto"
"""The objective that suits the samples: labels where there are enough of them, else neighbours that stay and rank."""
METRIC = "metric"
"""The kind of those that are given by the name of a metric."""
LABELS = 100
"""With so many labels of the train split, or more, `auto` is the classifier; without, `WITHOUT_LABELS`."""
FEWEST_OF_A_CLASS = 5
"""Labels of smaller classes do not count."""
WITH_LABELS, WITHOUT_LABELS = "classifier", "overlap_rankme"


@dataclass(frozen=True)
class Judged:
    """A finished trial, as objectives see it. Its test split is of the train split of what is tuned for: rows that no
    trial learns from, and by which trials are judged."""

    trained: "TrainedModel"
    recipe: Recipe
    samples: Samples
    latents: Latents
    """Of all rows of `samples`, with reconstruction errors where there is a decoder."""
    seconds: float
    """Of training."""
    seed: int
    """Of what objectives draw: the study's, so that all trials are judged under the same draws."""

    @cached_property
    def vectors(self) -> np.ndarray:
        """Latents (n, d) of the rows that judge, float32."""
        return self.latents.at(self.latents.in_split("test"))

    @cached_property
    def both_ways(self) -> "BothWays":
        """The same latents, and those of the samples after a harmless corruption."""
        from ae_pipelines.tuning.harmless import both_ways

        return both_ways(self.trained, self.samples, self.vectors, self.seed)


class Objective(ABC):
    """What is best: a number of a trial."""

    name: str
    """What it is asked for by."""
    higher_is_better: bool
    title: ClassVar[str]
    """What it measures, in a few words."""
    misleads: ClassVar[str]
    """When it does, as a sentence for people who read its numbers."""
    decodes: ClassVar[bool] = False
    """Whether it needs a decoder, too."""

    @abstractmethod
    def measures(self, judged: Judged) -> dict[str, float]:
        """Finite numbers by name: the objective by its own, and what else is known with it."""

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if models of this recipe cannot be judged so."""
        recipe.check_ability("encode", f"tune.objective={self.name}")
        if self.decodes:
            recipe.check_ability("decode", f"tune.objective={self.name}")

    def check_samples(self, samples: Samples) -> None:  # noqa: B027
        """`InputError` if it cannot judge by these samples, which are those of a study."""

    def check(self, recipe: Recipe, samples: Samples) -> None:
        """`InputError` if it cannot judge models of this recipe by these samples, which are those of a study."""
        self.check_recipe(recipe)
        self.check_samples(samples)


class ObjectiveChoice(Choice):
    """An objective by kind."""

    registry = OBJECTIVES


def offered() -> list[str]:
    """The objectives that have a name of their own, sorted."""
    return [kind for kind in OBJECTIVES.kinds() if kind != METRIC]


def check_names(names: Sequence[str], recipe: Recipe) -> None:
    """`InputError` if there is no such objective, or if models of this recipe cannot be judged so: all that is known
    before there are samples."""
    if not names:
        raise InputError("tune.objective is empty: name what the recipe is to be tuned for, or give auto")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"tune.objective names {repeated[0]} more than once: name each once")
    for name in names:
        built(WITHOUT_LABELS if name == AUTO else name).check_recipe(recipe)


def pick(names: Sequence[str], samples: Samples, recipe: Recipe) -> dict[str, Objective]:
    """The objectives by name, for the samples of a study; `auto` is the classifier where there are labels enough, else
    `overlap_rankme`. `InputError` if there is no such objective, or if it cannot judge models of this recipe by these
    samples."""
    check_names(names, recipe)
    found = {name: built(name) for name in dict.fromkeys(_settled(name, samples) for name in names)}
    for objective in found.values():
        objective.check(recipe, samples)
    return found


def built(name: str) -> Objective:
    """The objective of this name; `InputError` names those that there are."""
    if "/" in name:
        return ObjectiveChoice(kind=METRIC, metric=name).build()
    if name not in offered():
        raise InputError(
            f"no objective called {name!r}; {suggestion(name, [AUTO, *offered()])} Or name a metric of the run, such "
            "as classify/accuracy, few_labels/error_with_100_labels or fit/test/autoencoder/reconstruction"
        )
    return ObjectiveChoice(kind=name).build()


def _settled(name: str, samples: Samples) -> str:
    if name != AUTO:
        return name
    return WITH_LABELS if labels_of(samples) >= LABELS else WITHOUT_LABELS


def labels_of(samples: Samples) -> int:
    """How many samples of a study have a label of a class that is large enough, if there are two such classes."""
    counts = [count for count in samples.class_counts().values() if count >= FEWEST_OF_A_CLASS]
    return sum(counts) if len(counts) > 1 else 0
