"""What a file of a table gives: its columns, what is in them, and their values, a few rows at a time."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.tables.cells import CellType
from ae_pipelines.samples.tables.column_roles import NumberFacts

BLOCK_ROWS = 16_384
"""Most rows that are given at a time."""

Kind = Literal["number", "boolean", "date", "text", "raw"]
"""What a column is read as."""


class Reader(Protocol):
    """One file of a table."""

    path: Path
    stem: str
    """What its rows are called by: the file's name, below the folder of the table, without its ending."""

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        ...

    @property
    def types(self) -> Mapping[str, CellType]:
        """What each column is, by all its rows in CSV, by its type in parquet."""
        ...

    @property
    def unusable(self) -> Mapping[str, str]:
        """Types of the columns that hold neither numbers, dates nor text, in the file's own words."""
        ...

    @property
    def formats(self) -> Mapping[str, str]:
        """By which format numbers and dates are written, "" where no one can misread them."""
        ...

    @property
    def but_for(self) -> Mapping[str, Mapping[str, int]]:
        """Columns that would be numbers without a few texts, and these with their counts."""
        ...

    @property
    def facts(self) -> Mapping[str, NumberFacts]:
        """What is known of each column of numbers, from all its rows."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    def batches(self, columns: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        """These columns, a few MB at a time.

        Numbers and booleans become float64, null where missing; dates timestamps in microseconds; text has no blanks
        around it and is null where missing; raw is as the file holds it: a type of its own in parquet, text in CSV.
        """
        ...


def table_faults(path: Path) -> AbstractContextManager[None]:
    """`InputError` for any failure in the block: this file cannot be read as a table."""
    faults = (pa.ArrowException, OSError, ValueError, KeyError)
    return faults_of(path, "fix it, or save it again as parquet", faults, "a table")
