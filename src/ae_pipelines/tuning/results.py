"""What a study found, as plain data: pages, tables and recipes are made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    seconds: float

    def best(self) -> list[int]:
        """Numbers of the trials that are best: one, or with several objectives the Pareto front; none if no trial was
        complete."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """A row a trial: number, state, objectives, other measures, values by path, seconds, error."""
        raise NotImplementedError


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
