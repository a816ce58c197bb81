"""Some rows of a table as arrays, with the sha256 of each."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ae_pipelines.samples.tables.features import Columns
from ae_pipelines.samples.tables.treatments import ColumnType


@dataclass(frozen=True)
class Rows:
    """Some rows of one file."""

    columns: dict[str, np.ndarray]
    """As `features` takes them."""
    ids: Sequence[str]
    labels: Sequence[Any] | None
    """As the file holds them."""
    splits: Sequence[str]
    sha256: Sequence[str]


ReadRows = Callable[[Mapping[str, ColumnType]], Iterator[Rows]]
"""Gives all rows of a table, with these columns, from the start each time."""


def array_of(column: pa.Array, kind: ColumnType) -> np.ndarray:
    """A column as `features` takes it."""
    if kind == "category":
        return np.asarray(pc.fill_null(column, "").to_numpy(zero_copy_only=False), object)
    if kind == "date":
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.float64) / 86_400e6
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def numbers_among(columns: Columns) -> dict[str, np.ndarray]:
    """The columns that are no text."""
    return {name: values for name, values in columns.items() if values.dtype != object}


def sha256_of_rows(columns: Columns, rows: int) -> list[str]:
    """Of each row as the file holds it: of its numbers as float64, dates as days, then of its texts."""
    numbers, texts = list(numbers_among(columns).values()), [v for v in columns.values() if v.dtype == object]
    values = np.stack(numbers, axis=1) if numbers else np.zeros((rows, 0))
    if not texts:
        return [hashlib.sha256(row.data).hexdigest() for row in values]
    values[np.isnan(values)] = np.nan  # of several, one
    found = []
    for row, held in zip(values, zip(*texts, strict=True), strict=True):
        digest = hashlib.sha256(row.data)
        digest.update("".join(f"{len(text)}:{text}" for text in held).encode("utf-8", "surrogatepass"))
        found.append(digest.hexdigest())
    return found
