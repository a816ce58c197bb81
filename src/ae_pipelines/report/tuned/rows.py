"""The table of all trials, and why some failed."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.report.shown.scales import shown
from ae_pipelines.report.tuned.fields import NO_VALUE, short_names
from ae_pipelines.report.tuned.trials import CALLED, Trials
from ae_pipelines.tuning.results import Study

FIRST_LINE = 120
"""Letters of an error that are shown before it is opened."""


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    name: str
    whole: str
    is_number: bool


@dataclass(frozen=True)
class Cell:
    """What it says, and what it is sorted by."""

    words: str
    by: str


@dataclass(frozen=True)
class Trial:
    """A row."""

    number: int
    role: str
    state: str
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """A row for each trial, in order of their numbers."""

    columns: list[Column]
    trials: list[Trial]


@dataclass(frozen=True)
class Failure:
    """Trials that failed with the same message."""

    trials: str
    first_line: str
    error: str


def table(trials: Trials) -> Table:
    """Objectives, other measures, values, epochs and seconds of every trial."""
    outcomes = trials.study.outcomes
    names = list(dict.fromkeys([*trials.study.objectives, *(name for one in outcomes for name in one.measures)]))
    shorts = short_names([field.path for field in trials.fields])
    columns = [
        *(Column(name, name, True) for name in names),
        *(Column(name, field.path, not field.choices) for name, field in zip(shorts, trials.fields, strict=True)),
        *(Column(name, name, True) for name in ("epochs", "last validation loss", "seconds of training")),
    ]
    found = []
    for one in outcomes:
        cells = [_number(one.measures.get(name)) for name in names]
        for field in trials.fields:
            place, words = field.place(one.values), field.words(one.values)
            cells.append(Cell(words, words if field.choices else _by(place)))
        cells += [Cell(str(len(one.curve)), str(len(one.curve)))]
        cells += [_number(one.curve[-1] if one.curve else None), _number(one.seconds, 3)]
        role = trials.role(one)
        state = one.state if role in ("complete", "pruned", "failed") else CALLED[role]
        found.append(Trial(one.number, role, state, cells))
    return Table(columns, found)


def failures(study: Study) -> list[Failure]:
    """Messages in the order of their first trial."""
    by_message: dict[str, list[int]] = {}
    for one in study.outcomes:
        if one.state == "failed":
            by_message.setdefault((one.error or "no message").strip(), []).append(one.number)
    return [
        Failure(f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}", _first_line(error), error)
        for error, numbers in by_message.items()
    ]


def _first_line(error: str) -> str:
    line = error.partition("\n")[0]
    return line if len(line) <= FIRST_LINE else f"{line[: FIRST_LINE - 1]}…"


def _number(value: float | None, digits: int = 4) -> Cell:
    if value is None or not np.isfinite(value):
        return Cell(NO_VALUE, "")
    return Cell(shown(value, digits), _by(value))


def _by(value: float | None) -> str:
    return "" if value is None else repr(float(value))
