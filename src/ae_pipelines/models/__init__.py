"""Methods: how an encoder and a decoder learn. The training loop knows only their phases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ae_pipelines.base.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ae_pipelines.models.batch import Batch

Ability = Literal["encode", "decode", "restore"]

MODELS = Registry("model", __name__)
"""Each maker takes a `Task` and returns a `Method` (`models/method.py`)."""


class ModelChoice(Choice):
    """A method by kind."""

    registry = MODELS

    def can(self, ability: Ability) -> bool:
        """Whether a method with these options can do it; imports torch."""
        option = self.option_for(ability)
        maker = self.registry.maker(self.kind)
        return hasattr(maker, ability) if option is None else self.check()[option] is not None

    @property
    def starts_elsewhere(self) -> bool:
        """Whether it, or a method that it is made of, starts as one that was trained elsewhere; imports torch."""
        return bool(self._from_elsewhere())

    def check_elsewhere(self) -> None:
        """`InputError` if weights that were learned elsewhere are not there, or not what the options need."""
        for choice in self._from_elsewhere():
            choice.registry.maker(choice.kind).check_elsewhere(choice.check())  # type: ignore[attr-defined]

    def _from_elsewhere(self) -> "list[ModelChoice]":
        inside = [part for value in self.check().values() if isinstance(value, list) for part in value]
        own = [self] if getattr(self.registry.maker(self.kind), "starts_elsewhere", False) else []
        return own + [each for part in inside if isinstance(part, ModelChoice) for each in part._from_elsewhere()]

    def option_for(self, ability: Ability) -> str | None:
        """The option without which the method cannot do it; None if it does not depend on options."""
        needed: Mapping[Ability, str] = getattr(self.registry.maker(self.kind), "needs_option", {})
        return needed.get(ability)


@dataclass(frozen=True)
class Player:
    """A named set of parameters and the loss terms that move it."""

    name: str
    parameters: "list[nn.Parameter]"
    terms: "Callable[[Batch], dict[str, Tensor]]"
    """Loss terms by name, each a scalar; the player minimises their sum."""


@dataclass(frozen=True)
class Phase:
    """Players that take turns in every step."""

    name: str
    players: list[Player]
    epochs: int | None = None
    """How many it takes; None: as many as the recipe says."""
    judged: bool = True
    """Whether a lower sum of loss terms means a better model, so that the best weights are kept. False where
    players oppose each other: the last weights are kept, and training does not stop early."""


def moving(phases: list[Phase]) -> list[Phase]:
    """The phases without frozen parameters, and without the players and phases that have no other ones."""
    found = [replace(phase, players=_moving(phase.players)) for phase in phases]
    return [phase for phase in found if phase.players]


def _moving(players: list[Player]) -> list[Player]:
    found = [replace(player, parameters=[p for p in player.parameters if p.requires_grad]) for player in players]
    return [player for player in found if player.parameters]
