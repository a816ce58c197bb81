"""One trial: a training with some values, judged by samples of the train split that it has not learned from."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ae_pipelines.training.recipe import Recipe

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Asked:
    """A trial that is to be done."""

    number: int
    """From 0, which is the recipe as it is."""
    values: dict[str, Any]
    """By path."""
    recipe: Recipe


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
    error: str | None = None
    """Why it failed."""
