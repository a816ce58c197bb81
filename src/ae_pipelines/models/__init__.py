"""Methods: how an encoder and a decoder learn. The one training loop knows them by their phases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ae_pipelines.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ae_pipelines.batches import Batch

MODELS = Registry("model", __name__)
"""Makers take a `SampleSpec` and give an `nn.Module` with `phases()`.

A module that can encode keeps all that `encode` needs in its child `encoder`, likewise `decode` and
`decoder`, and says `latent_size`: so the two halves can be taken apart and saved by themselves.
"""


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
