"""A training step: each player's turn, and sums of loss terms for the history."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ae_pipelines.models import Player
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.method import Method
from ae_pipelines.training import adam
from ae_pipelines.training.options import Execution, TrainOptions


class Step:
    """The steps of a phase, one operation after another."""

    def __init__(
        self,
        model: Method,
        players: list[Player],
        options: TrainOptions,
        computing: Callable[[], AbstractContextManager[object]],
        rate: Tensor | None = None,
    ) -> None:
        """`computing` makes the context that loss terms are computed in; `rate`: where optimisers find the learning
        rate, for steps that are recorded."""
        self._model, self._computing = model, computing
        self._limit = options.maximum_gradient_norm
        self.moves: list[tuple[Player, Optimizer]] = [
            (player, adam.adam_for(player, options, rate)) for player in players
        ]
        self.totals: dict[str, Tensor] = {}
        """Sums of the loss terms since the last `forget`, on the device."""
        self.rate = options.learning_rate
        """The learning rate of the last step."""
        self.way: Execution | None = "eager"
        """How steps are done, as soon as it is settled."""
        self._rate, self._norm = rate, cast(Tensor | None, None)

    def drawn(self, loader: Loader, epoch: int, start: int) -> Iterator[Any]:
        """What steps of an epoch are called with, from step `start` on."""
        return loader.epoch(epoch, start)

    def __call__(self, batch: Any, rate: float, done: float, measuring: bool) -> None:
        """One step at this learning rate; `done`: the share of the phase's steps that is done then; `measuring`:
        whether `gradient_norm` will be asked for."""
        self._set_rate(rate)
        self._turns(batch, measuring)
        self._follow(done)

    def gradient_norm(self) -> float:
        """Of the last player's gradients, before they were made smaller, in a step that measured it."""
        return math.nan if self._norm is None else float(self._norm)

    def forget(self) -> None:
        """Start sums anew."""
        self.totals = {}

    def _set_rate(self, rate: float) -> None:
        self.rate = rate
        if self._rate is not None:
            self._rate.fill_(rate)
            return
        for _, optimiser in self.moves:
            for group in optimiser.param_groups:
                group["lr"] = rate

    @torch.no_grad()
    def _follow(self, done: float) -> None:
        self._model.after_step(done)

    def _turns(self, batch: Batch, measuring: bool) -> None:
        for player, optimiser in self.moves:
            self._move(player, optimiser, batch, measuring)

    def _move(self, player: Player, optimiser: Optimizer, batch: Batch, measuring: bool) -> None:
        with self._computing():
            terms = player.terms(batch)
        loss = next(iter(terms.values())) if len(terms) == 1 else torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=player.parameters)  # and no one else's gradients
        if self._limit is not None or measuring:
            self._norm = nn.utils.clip_grad_norm_(player.parameters, self._limit or math.inf)
        optimiser.step()
        for name, value in terms.items():
            self._add(f"train/{player.name}/{name}", value.detach())

    def _add(self, name: str, value: Tensor) -> None:
        if name in self.totals:
            self.totals[name].add_(value)
        else:
            self.totals[name] = value.clone()


def numbers(scalars: dict[str, Tensor]) -> dict[str, float]:
    """Scalars that lie on a device, as numbers: all at once, since each copy would wait for the device."""
    return dict(zip(scalars, torch.stack([*scalars.values()]).tolist(), strict=True)) if scalars else {}
