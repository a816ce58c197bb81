"""What a study found, as plain data: pages, tables and recipes are made of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from ae_pipelines.tuning.space import Space
from ae_pipelines.tuning.trial import Outcome

AS_IT_WAS, TUNED = "as it was", "tuned"
"""Who is compared at the end, in the column `who` of `Found.compared`."""
VALIDATION, TEST = "validation", "test"
"""By which rows, in its column `rows`."""


@dataclass(frozen=True)
class Study:
    """The trials of a study. Trial 0 is the recipe as it is."""

    id: str
    recipe: str
    samples: str
    """Name of the source."""
    space: Space
    objectives: list[str]
    higher_is_better: list[bool]
    outcomes: Sequence[Outcome]
    """In order of their numbers."""
    seconds: float
    """How long all that was done for it took, by the clock."""

    def best(self) -> list[int]:
        """Numbers of the trials that are best: one, or with several objectives the Pareto front; none if no trial was
        complete. Of trials that are equally good, the one with the lowest number."""
        complete = self.complete
        if not complete:
            return []
        signs = np.where(self.higher_is_better, 1.0, -1.0)
        values = np.array([[outcome.measures[name] for name in self.objectives] for outcome in complete]) * signs
        if len(self.objectives) == 1:
            return [complete[int(values[:, 0].argmax())].number]
        return [outcome.number for outcome, there in zip(complete, _front(values), strict=True) if there]

    @property
    def complete(self) -> list[Outcome]:
        """The trials that were judged."""
        return [outcome for outcome in self.outcomes if outcome.state == "complete"]

    def table(self) -> pd.DataFrame:
        """A row a trial: number, state, objectives, other measures, values by path, seconds, error. `seconds` are those
        of the trial's training, whether that is measured, too, or not."""
        measures = dict.fromkeys([*self.objectives, *(name for outcome in self.outcomes for name in outcome.measures)])
        values = dict.fromkeys([*self.space.fields, *(path for outcome in self.outcomes for path in outcome.values)])
        columns = dict.fromkeys(["number", "state", *measures, *values, "seconds", "error"])
        rows = [
            {"number": one.number, "state": one.state, "seconds": one.seconds, "error": one.error}
            | one.values
            | one.measures
            for one in self.outcomes
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def plain(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        outcomes = [asdict(outcome) for outcome in self.outcomes]
        return vars(self) | {"space": self.space.model_dump(mode="json"), "outcomes": outcomes}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """What `plain` was made of."""
        space, outcomes = Space.model_validate(plain["space"]), [Outcome(**one) for one in plain["outcomes"]]
        return cls(**plain | {"space": space, "outcomes": outcomes})


def _front(values: np.ndarray) -> np.ndarray:
    """Of each row of values (n, objectives), more is better, whether no other is as good in all and better in one; of
    equal rows only the first."""
    as_good = (values[None, :] >= values[:, None]).all(axis=2)  # [i, j]: j is as good as i in all
    better = as_good & ~as_good.T
    first = np.tril(as_good & as_good.T, k=-1)  # [i, j]: j is the same and stands before i
    return np.array(~(better | first).any(axis=1))


@dataclass(frozen=True)
class Found:
    """A study, its winner, and what the winner is worth."""

    study: Study
    winner: int
    """Its number; 0 where the recipe as it is was best."""
    compared: pd.DataFrame
    """`who`, `rows`, `metric`, `mean`, `sd`, `seeds`: fresh trainings of the recipe as it was and of the winner; the
    objectives on validation rows, and on test rows, opened once, what latents are good for."""
    verdict: str
    """One line: whether the winner is better beyond the noise of seeds."""

    def plain(self) -> dict[str, Any]:
        """All of it as JSON holds it, without NaN."""
        compared = self.compared.astype(object).where(self.compared.notna(), None).to_dict(orient="list")
        return vars(self) | {"study": self.study.plain(), "compared": compared}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """What `plain` was made of."""
        compared = pd.DataFrame(plain["compared"])
        for name in ("mean", "sd"):
            if name in compared:
                compared[name] = compared[name].astype(float)
        return cls(**plain | {"study": Study.of(plain["study"]), "compared": compared})
