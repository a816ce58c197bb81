"""Methods: how an encoder and a decoder learn. The one training loop knows them by their phases."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ae_pipelines.base.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ae_pipelines.models.batch import Batch

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


def moving(phases: list[Phase]) -> list[Phase]:
    """These phases without frozen parameters, and without players and phases that have no others."""
    found = [replace(phase, players=_moving(phase.players)) for phase in phases]
    return [phase for phase in found if phase.players]


def _moving(players: list[Player]) -> list[Player]:
    found = [replace(player, parameters=[p for p in player.parameters if p.requires_grad]) for player in players]
    return [player for player in found if player.parameters]
