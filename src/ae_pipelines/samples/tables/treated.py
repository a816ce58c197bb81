"""Columns of which it is known what becomes of them: from the cells of a row to the values of a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.tables import features, treatments
from ae_pipelines.samples.tables.features import Columns
from ae_pipelines.samples.tables.rows import numbers_among
from ae_pipelines.samples.tables.treatments import FORMATS, ColumnType


class Treated(Protocol):
    """Columns of which all is known that it takes to make samples of them."""

    @property
    def types(self) -> Mapping[str, ColumnType]: ...

    @property
    def preprocessing(self) -> dict[str, Any]: ...

    @property
    def width(self) -> int: ...

    def values(self, columns: Columns) -> np.ndarray:
        """float32 (rows, width)."""
        ...

    def faults(self, columns: Columns) -> list[str | None]:
        """Why a row cannot be used; None: it can."""
        ...

    def surprises(self, columns: Columns) -> dict[str, tuple[int, str]]:
        """What the training has not met, by column."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers, each its own feature; a row in which one is missing cannot be used."""

    names: list[str]
    scale: Standardisation | None
    formats: Mapping[str, str] = field(default_factory=dict)
    """How those are written that someone might misread, by the name of the format."""

    @property
    def types(self) -> Mapping[str, ColumnType]:
        return dict.fromkeys(self.names, "number")

    @property
    def preprocessing(self) -> dict[str, Any]:
        said = {FORMATS: dict(self.formats)} if self.formats else {}
        return {"columns": self.names, **(self.scale.record() if self.scale else {}), **said}

    @property
    def width(self) -> int:
        return len(self.names)

    def values(self, columns: Columns) -> np.ndarray:
        scale = self.scale or Standardisation.none(len(self.names))
        return scale.apply(np.stack([columns[name] for name in self.names], axis=1))

    def faults(self, columns: Columns) -> list[str | None]:
        return _faults({name: ~np.isfinite(values) for name, values in columns.items()}, columns)

    def surprises(self, columns: Columns) -> dict[str, tuple[int, str]]:
        return {}


@dataclass(frozen=True)
class Mixed:
    """Columns of several types, or with missing cells, and what was learned of each."""

    preprocessing: dict[str, Any]

    @property
    def types(self) -> Mapping[str, ColumnType]:
        return {one["column"]: one["type"] for one in self.preprocessing["treatments"]}

    @property
    def width(self) -> int:
        return len(treatments.columns_of(self.preprocessing))

    def values(self, columns: Columns) -> np.ndarray:
        return features.features(columns, self.preprocessing)

    def faults(self, columns: Columns) -> list[str | None]:
        return infinite(columns)

    def surprises(self, columns: Columns) -> dict[str, tuple[int, str]]:
        return features.surprises(columns, self.preprocessing)


def infinite(columns: Columns) -> list[str | None]:
    """Why a row cannot be used, by its first cell that is Inf; None: it has none."""
    return _faults({name: np.isinf(values) for name, values in numbers_among(columns).items()}, columns)


def without(faults: Sequence[str | None]) -> np.ndarray:
    """Which rows have no fault, bool (rows,)."""
    return np.array([fault is None for fault in faults], bool)


def _faults(bad: Mapping[str, np.ndarray], columns: Columns) -> list[str | None]:
    """For each row its first fault, by which rows of a column are bad."""
    faults: list[str | None] = [None] * len(next(iter(columns.values())))
    if not bad:
        return faults
    marks, names = np.stack([*bad.values()], axis=1), list(bad)
    for row in np.flatnonzero(marks.any(axis=1)).tolist():
        name = names[int(marks[row].argmax())]
        fault = "missing value" if np.isnan(columns[name][row]) else "NaN or Inf"
        faults[row] = f"{fault} in column {name!r}"
    return faults
