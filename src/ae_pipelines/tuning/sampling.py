"""Which values a trial has: samplers of Optuna, asked anew for each trial with all that is known then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.tuning.in_optuna import Goals, InOptuna, without_remarks
from ae_pipelines.tuning.space import Among, Range, grid
from ae_pipelines.tuning.trial import Outcome

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

STARTUP = 8
"""Trials whose values are drawn at random, before there is something to learn from."""
DIGITS = 3
"""Numbers that are no whole ones are rounded to so many digits: people read them in recipes."""


@dataclass(frozen=True)
class Sampling:
    """Values of trials after the first, which is the recipe as it is."""

    named: InOptuna
    sampler: str
    seed: int

    def values(
        self, number: int, told: Sequence[Outcome], goals: Sequence[Goals], under_way: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any] | None:
        """Values by path for the trial of this number, where `told` ended with these `goals` and trials with the values
        `under_way` have not yet ended; None where all of a grid has been tried.

        Nothing is remembered from call to call, and the sampler is seeded by the study's seed and the number: a study
        that was killed goes on with the values that it would have had.
        """
        if self.sampler == "grid":
            return self._grid[number - 1] if number <= len(self._grid) else None
        with without_remarks():
            study = self.named.study(told, goals, under_way)
            study.sampler = self._sampler(int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0]))
            return self._drawn(study.ask())

    @cached_property
    def _grid(self) -> list[dict[str, Any]]:
        """All combinations but that of the recipe as it is."""
        space, recipe = self.named.space, self.named.recipe
        own = space.own(recipe)
        return [values for values in grid(space, recipe) if values != own]

    def _drawn(self, trial: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for path, field in self.named.space.fields.items():
            if self.named.space.counts(path, values, self.named.recipe):
                found = self.named.suggested(path, trial)
                values[path] = field.choices[found] if isinstance(field, Among) else _rounded(found, field)
        return values

    def _sampler(self, seed: int) -> "BaseSampler":
        from optuna import samplers

        match self.sampler:
            case "tpe":
                return samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
            case "gp":
                return samplers.GPSampler(n_startup_trials=STARTUP, seed=seed, warn_independent_sampling=False)
            case _:
                return samplers.RandomSampler(seed=seed)


def _rounded(value: float, field: Range) -> float:
    if isinstance(value, int) or field.step is not None:
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), field.low), field.high)
