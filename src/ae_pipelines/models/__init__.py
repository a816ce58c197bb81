"""Methods: how an encoder and a decoder learn. The one training loop knows them by their phases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ae_pipelines.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ae_pipelines.batches import Batch

MODELS = Registry("model", __name__)
"""Makers take a `Task` and give a `Method` (`models/method.py`)."""


class ModelChoice(Choice):
    """A method by kind."""

    registry = MODELS


@dataclass(frozen=True)
class Player:
    """A named set of parameters and the loss terms that move it."""

    name: str
    parameters: "list[nn.Parameter]"
    terms: "Callable[[Batch], dict[str, Tensor]]"
    """Scalars by name; the player descends their sum."""


@dataclass(frozen=True)
class Phase:
    """Players that take turns in every step."""

    name: str
    players: list[Player]
    epochs: int | None = None
    """None: as many as the recipe says."""
    judged: bool = True
    """Whether a lower sum of loss terms means a better model: then the best weights are kept. Not so where
    players oppose each other; then the last weights are kept, and training is not ended early."""
