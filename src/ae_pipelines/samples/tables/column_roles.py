"""Columns of numbers that are no values of a sample: row numbers and ids; and numbers that stand for nothing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ae_pipelines.base.errors import first_of

log = logging.getLogger(__name__)

INDEX_NAMES = {"", "unnamed: 0", "__index_level_0__", "rownames", "row_number"}
"""Names under which row numbers are written, by pandas and R, in small letters."""
FEWEST_ROWS = 10
"""Rows from which on numbers that count them are row numbers."""
FEWEST_INCREASING = 100
"""Rows from which on whole numbers that increase with every row are taken for ids."""
SENTINELS = (-999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0)
"""Numbers that people write where there is none."""


@dataclass(frozen=True)
class NumberFacts:
    """What is known of a column of numbers in one file."""

    rows: int
    missing: int
    whole: bool
    """All are whole numbers."""
    counting: bool
    """All rows have one, each one more than the one before."""
    increasing: bool
    """All rows have one, each more than the one before."""
    first: float
    last: float
    low: float
    high: float
    """The least and the greatest of those that are not in SENTINELS; low > high if there is none."""
    sentinels: dict[float, int]
    """How often each of SENTINELS occurs, if it does."""


class FactsBuilder:
    """What is known of many columns of numbers after some of their rows."""

    def __init__(self, columns: int) -> None:
        self._rows = 0
        self._missing = np.zeros(columns, np.int64)
        self._whole, self._counting, self._increasing = (np.ones(columns, bool) for _ in range(3))
        self._first, self._last = (np.full(columns, np.nan) for _ in range(2))
        self._low, self._high = np.full(columns, np.inf), np.full(columns, -np.inf)
        self._sentinels = np.zeros((len(SENTINELS), columns), np.int64)

    def look(self, values: np.ndarray) -> None:
        """Look at some more rows: (rows, columns) of float64, NaN where missing."""
        if not len(values):
            return
        if not self._rows:
            self._first = values[0].copy()
        before = self._last if self._rows else values[0] - 1
        with np.errstate(invalid="ignore"):  # Inf - Inf
            steps = np.diff(values, axis=0, prepend=before[None])
        self._increasing &= (steps > 0).all(axis=0)
        self._counting &= (steps == 1).all(axis=0)
        self._last = values[-1].copy()
        self._rows += len(values)
        missing = ~np.isfinite(values)
        self._missing += missing.sum(axis=0)
        self._whole &= ((values == np.floor(values)) | missing).all(axis=0)
        others = np.where(missing, np.nan, values)
        for place, number in enumerate(SENTINELS):
            found = values == number
            if found.any():
                self._sentinels[place] += found.sum(axis=0)
                others[found] = np.nan
        self._low = np.fmin(self._low, np.fmin.reduce(others, axis=0))
        self._high = np.fmax(self._high, np.fmax.reduce(others, axis=0))

    def facts(self) -> list[NumberFacts]:
        """Those of each column."""
        return [
            NumberFacts(
                rows=self._rows,
                missing=int(self._missing[column]),
                whole=bool(self._whole[column]),
                counting=bool(self._counting[column]),
                increasing=bool(self._increasing[column]),
                first=float(self._first[column]),
                last=float(self._last[column]),
                low=float(self._low[column]),
                high=float(self._high[column]),
                sentinels={
                    SENTINELS[place]: int(self._sentinels[place, column])
                    for place in np.flatnonzero(self._sentinels[:, column]).tolist()
                },
            )
            for column in range(len(self._missing))
        ]


def values_among(names: Sequence[str], files: Sequence[Mapping[str, NumberFacts]]) -> list[str]:
    """These columns without those of numbers that are no values; what is left out, and numbers that stand for
    nothing, are told in the log with what to do.

    `files` say what is known of the columns of numbers in each file.
    """
    known = {name: [facts[name] for facts in files if name in facts] for name in names}
    left_out = not_values({name: facts for name, facts in known.items() if len(facts) == len(files)})
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(repr(name))
    for why, columns in reasons.items():
        log.warning(
            "left out of the values: %s, since %s; source.id=<column> makes it the id of each row, "
            "source.columns=[...] takes what it names as values",
            *(first_of(columns), why),
        )
    for name in names:
        if name not in left_out and known[name] and (found := stand_ins(known[name])):
            written = ", ".join(f"{number:.0f}" for number in found)
            log.warning(
                "column %r is %s in %d rows, far from its other values: if that means missing, source.missing=[%s]",
                *(name, written.replace(", ", " or "), sum(found.values()), written),
            )
    return [name for name in names if name not in left_out]


def not_values(columns: Mapping[str, Sequence[NumberFacts]]) -> dict[str, str]:
    """Which columns of numbers, with what is known of them in each file, are no values; and why, in words."""
    return {name: why for name, facts in columns.items() if (why := _why_no_value(name, facts))}


def stand_ins(facts: Sequence[NumberFacts]) -> dict[float, int]:
    """Numbers that seem to stand for a missing value, with their counts.

    Such as -999: often written so, found more than once, and farther from all other values than these are from
    each other.
    """
    low, high = min(fact.low for fact in facts), max(fact.high for fact in facts)
    found: dict[float, int] = {}
    for fact in facts:
        for number, count in fact.sentinels.items():
            found[number] = found.get(number, 0) + count
    apart = {number: max(low - number, number - high) for number in found}
    return {number: found[number] for number in sorted(found) if found[number] > 1 and apart[number] > high - low >= 0}


def _why_no_value(name: str, facts: Sequence[NumberFacts]) -> str:
    rows = sum(fact.rows for fact in facts)
    if name.strip().lower() in INDEX_NAMES:
        return "its name is that of row numbers"
    if not all(fact.whole for fact in facts):
        return ""
    if is_id_name(name):
        return "its name is that of ids"
    if rows >= FEWEST_ROWS and _counting(facts):
        return "it counts the rows"
    if rows >= FEWEST_INCREASING and all(fact.increasing for fact in facts):
        return "it is a whole number that increases with every row"
    return ""


def _counting(facts: Sequence[NumberFacts]) -> bool:
    """Whether all files count their rows, from the start or on from the file before."""
    after = [0.0, *(fact.last + 1 for fact in facts)]
    return all(fact.counting and fact.first in (0, 1, expected) for fact, expected in zip(facts, after, strict=False))


def is_id_name(name: str) -> bool:
    """Whether a column is called id, or something's id: `ID`, `patient_id`, `PassengerId`, `sample.id`."""
    name = name.strip()
    return (
        name.lower() in {"id", "uuid", "guid"}
        or name.lower().endswith(("_id", " id", ".id", "-id"))
        or (len(name) > 2 and name.endswith(("Id", "ID")) and name[-3].isalpha() and name[-3].islower())
    )
