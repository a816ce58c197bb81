"""A study as Optuna holds one: for its samplers, its measures of importance and its dashboard."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.space import Among, Range, Space
from ae_pipelines.tuning.trial import Outcome

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Goals = list[float] | None
"""The objectives of a trial; None: it was not judged."""


@dataclass(frozen=True)
class InOptuna:
    """How Optuna calls what is searched and found. A choice is called by its name."""

    space: Space
    recipe: Recipe
    """As it is."""
    higher_is_better: tuple[bool, ...]

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """One for each objective."""
        return ["maximize" if higher else "minimize" for higher in self.higher_is_better]

    def study(
        self, outcomes: Sequence[Outcome], goals: Sequence[Goals], under_way: Sequence[Mapping[str, Any]] = ()
    ) -> "optuna.Study":
        """A study in memory of these trials, and of those `under_way` with these values. The recipe as it is is left
        out where not all of its values lie in the space: whoever learns from the study learns of the space alone."""
        import optuna

        study = optuna.create_study(directions=self.directions)
        for outcome, values in zip(outcomes, goals, strict=True):
            trial = self.trial(outcome, values)
            if len(trial.params) == len(outcome.values):
                study.add_trial(trial)
        for asked in under_way:
            params = self.params(asked)
            if len(params["params"]) == len(asked):
                study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, **params))
        return study

    def trial(self, outcome: Outcome, goals: Goals) -> "optuna.trial.FrozenTrial":
        """A trial that is over, with those of its values that lie in the space, and its curve.

        Optuna's samplers rank pruned trials by their curves as if these were the objective: with the sign that makes
        more of them better, where more of the objective is better.
        """
        from optuna.trial import TrialState, create_trial

        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        sign = -1 if self.higher_is_better[0] else 1
        about = {"values": outcome.values, "measures": outcome.measures, "seconds": outcome.seconds}
        return create_trial(
            state=states[outcome.state],
            values=goals,
            **self.params(outcome.values),
            user_attrs=about | ({"error": outcome.error} if outcome.error else {}),
            intermediate_values={epoch: sign * loss for epoch, loss in enumerate(outcome.curve, start=1)},
        )

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`params` and `distributions` of those of the values that lie in the space."""
        named = {path: self._named(path, value) for path, value in values.items() if path in self.space.fields}
        inside = {path: name for path, name in named.items() if name is not None}
        return {"params": inside, "distributions": {path: self.distribution(path) for path in inside}}

    def suggested(self, path: str, trial: "optuna.Trial") -> Any:
        """A value for this field, as Optuna calls it, from the trial's sampler."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        held: Any = self.distribution(path)
        if isinstance(held, CategoricalDistribution):
            return trial.suggest_categorical(path, held.choices)
        suggest: Any = trial.suggest_int if isinstance(held, IntDistribution) else trial.suggest_float
        return suggest(path, held.low, held.high, step=held.step, log=held.log)

    def distribution(self, path: str) -> "BaseDistribution":
        """A field of the space."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        field = self.space.fields[path]
        if isinstance(field, Among):
            return CategoricalDistribution(list(field.choices))
        if path in self._whole:
            return IntDistribution(int(field.low), int(field.high), log=field.log, step=int(field.step or 1))
        return FloatDistribution(field.low, field.high, log=field.log, step=field.step)

    @cached_property
    def _whole(self) -> set[str]:
        return self.space.whole_numbers(self.recipe)

    def _named(self, path: str, value: Any) -> Any:
        """What Optuna calls it; None if it does not lie in the space."""
        field = self.space.fields[path]
        if isinstance(field, Among):
            return field.name_of(value)
        return value if _within(value, field) else None


def _within(value: Any, field: Range) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not field.low <= value <= field.high:
        return False
    steps = 0.0 if field.step is None else (value - field.low) / field.step
    return math.isclose(steps, round(steps), abs_tol=1e-6)


@contextmanager
def without_remarks() -> Iterator[None]:
    """Without what Optuna says of each trial, and of parts of it that may change."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
