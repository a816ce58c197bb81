"""What a recipe may be tuned for: each module here has one objective, found by its kind."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

OBJECTIVES = Registry("objective", __name__)


@dataclass(frozen=True)
class Judged:
    """A finished trial, as objectives see it. Its test split is of the train split of what is tuned for: rows that no
    trial learns from, and by which trials are judged."""

    trained: TrainedModel
    recipe: Recipe
    samples: Samples
    latents: Latents
    """Of all rows of `samples`, with reconstruction errors where there is a decoder."""
    seconds: float
    """Of training."""
    seed: int


class Objective(Protocol):
    """One number of a trial."""

    higher_is_better: ClassVar[bool]

    def __call__(self, judged: Judged) -> float: ...

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if models of this recipe cannot be judged so."""
        ...

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if it cannot judge by these samples."""
        ...


class ObjectiveChoice(Choice):
    """An objective by kind."""

    registry = OBJECTIVES
