"""What a study has found, in words and in numbers by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ae_pipelines.base.numbers import with_deviation
from ae_pipelines.tuning.results import AS_IT_WAS, TUNED, Found, Study
from ae_pipelines.tuning.trial import Outcome

BEYOND_NOISE = 2
"""A difference counts if it is more than so many standard deviations over seeds, of the two recipes' the larger."""


@dataclass(frozen=True)
class Value:
    """A metric over fresh seeds."""

    mean: float
    sd: float
    """With n - 1."""

    def __str__(self) -> str:
        return with_deviation(self.mean, self.sd)


@dataclass(frozen=True)
class Compared:
    """One metric of the recipe as it was and, where it is another, of the winner."""

    rows: str
    metric: str
    was: Value | None
    tuned: Value | None

    @property
    def name(self) -> str:
        """Of the metric, as a metric of the run."""
        return f"{self.rows}_{self.metric.replace('/', '.')}"


def verdict(study: Study, winner: int, compared: pd.DataFrame, failed: Sequence[Outcome] = ()) -> str:
    """One line: whether the winner is better in the first objective by more than `BEYOND_NOISE` standard deviations
    over seeds, of the two recipes' the larger. `failed`: fresh trainings that came to nothing."""
    trials = len(study.outcomes)
    why = f"; with seed {failed[0].number} a training failed: {failed[0].error}" if failed else ""
    first = next(both_of(compared))
    if winner == 0:
        return f"{study.recipe} as it was is the best of {trials} trials: {first.metric} {first.was}{why}"
    numbers = f"{first.metric} {first.was} as it was, {first.tuned} tuned (trial {winner} of {trials}){why}"
    if first.was and first.tuned and _beyond(first.was, first.tuned, study.higher_is_better[0]):
        return f"{study.recipe} tuned is better than as it was, beyond the noise of seeds: {numbers}"
    return f"{study.recipe} tuned is not better than as it was beyond the noise of seeds: {numbers}"


def _beyond(was: Value, tuned: Value, higher_is_better: bool) -> bool:
    gain = tuned.mean - was.mean if higher_is_better else was.mean - tuned.mean
    return gain > BEYOND_NOISE * max(was.sd, tuned.sd)


def both_of(compared: pd.DataFrame) -> Iterator[Compared]:
    """Each metric of `Found.compared`, in order."""
    values = {
        (who, rows, metric): Value(mean, sd) for who, rows, metric, mean, sd, _ in compared.itertuples(index=False)
    }
    for rows, metric in dict.fromkeys((rows, metric) for _, rows, metric in values):
        yield Compared(rows, metric, *(values.get((who, rows, metric)) for who in (AS_IT_WAS, TUNED)))


def metrics(found: Found) -> dict[str, float]:
    """What both are worth by name, `<rows>_<metric>_as_it_was` and `..._tuned`, each with its deviation `..._sd`, and
    how many trials there were; without what is not known."""
    states = [outcome.state for outcome in found.study.outcomes]
    values = {"trials": float(len(states)), **{state: float(states.count(state)) for state in ("pruned", "failed")}}
    values |= {"winner": float(found.winner), "seconds": found.study.seconds}
    for one in both_of(found.compared):
        for who, value in {"as_it_was": one.was, "tuned": one.tuned}.items():
            if value is not None:
                values |= {f"{one.name}_{who}": value.mean, f"{one.name}_{who}_sd": value.sd}
    return {name: value for name, value in values.items() if value == value}  # NaN is not equal to itself


def told(found: Found, date: str) -> list[str]:
    """What is to be known of a winner, line by line."""
    study = found.study
    return [
        f"{study.recipe} tuned for {', '.join(study.objectives)} on {study.samples}: trial {found.winner} of "
        f"{len(study.outcomes)}, study {study.id}, {date}",
        f"changed: {', '.join(_changes(found))}",
        *(f"{one.rows} rows, {one.metric}: {one.was} as it was, {one.tuned} tuned" for one in both_of(found.compared)),
        found.verdict,
    ]


def _changes(found: Found) -> Iterator[str]:
    values: dict[int, dict[str, Any]] = {
        one.number: found.study.space.named(one.values) for one in found.study.outcomes
    }
    before = values[0]
    for path, value in values[found.winner].items():
        if path not in before:
            yield f"{path} {value}"
        elif before[path] != value:
            yield f"{path} {before[path]} → {value}"
