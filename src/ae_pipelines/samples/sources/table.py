"""The numbers in the rows of a CSV or parquet file, or of a folder of parquet files: any size, read as a stream."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from ae_pipelines.base.errors import InputError, NothingThere, first_of, suggestion
from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.sources import SOURCES, GivenPath, printable_stem
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.standardise import TOO_LARGE, Standardisation, fit
from ae_pipelines.samples.tables import CsvFile, Kind, Reader, readers_of

log = logging.getLogger(__name__)

INDEX_COLUMNS = {"", "__index_level_0__"}
"""Names under which pandas writes row numbers; not used as values unless named in `columns`."""


@dataclass(frozen=True)
class Rows:
    """Some rows of one file."""

    values: np.ndarray
    """(n, columns), float64; NaN where missing."""
    faults: Sequence[str | None]
    """Why a row cannot be used; None: it can."""
    ids: Sequence[str]
    labels: Sequence[Any] | None
    """As the file holds them."""
    splits: Sequence[str]
    sha256: Sequence[str]

    @property
    def sound(self) -> np.ndarray:
        return np.array([fault is None for fault in self.faults], bool)


@SOURCES.register("table")
@dataclass(frozen=True)
class Table:
    """The samples of a table; rows with something missing, NaN or Inf among their values are rejected."""

    given: Standardisation | None = None
    """The scale of other samples; None: the rows' own is computed, if `standardise`."""
    _: KW_ONLY
    path: GivenPath
    """`.csv`, `.parquet`, or a folder of `.parquet` files, read in the order of their names."""
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    """A sample's values, in this order; None: all columns of numbers or booleans without another use."""
    label: str | None = None
    """Column of labels; a row without one is unlabelled."""
    id: str | None = None
    """Column of sample ids; None: the file's name and the row's number."""
    split: str | None = None
    """Column that says train or test; None: it follows from the row's values."""
    header: bool | None = None
    """Whether a CSV file has a line of names; without one, columns are column_0, column_1 ...; None: by looking."""
    missing: list[str] = field(default_factory=list)
    """What stands for a missing value, beside empty cells, NA and null: such as -999 or ?."""
    standardise: bool = True
    """Scale each column to mean 0 and variance 1 over the train rows."""

    @property
    def name(self) -> str:
        return printable_stem(self.path)

    def like(self, spec: SampleSpec) -> "Table":
        """These rows, with the columns and the scale of samples like `spec`, unless other ones were given."""
        given = Standardisation.recorded(spec.preprocessing) if self.standardise else None
        return replace(self, given=given, columns=self.columns or spec.preprocessing.get("columns"))

    def spec(self) -> SampleSpec:
        statistics = self._standardisation.record() if self.standardise else {}
        return SampleSpec(
            shape=(len(self._columns),), dtype="float32", preprocessing={"columns": self._columns, **statistics}
        )

    def count(self) -> int | None:
        """Number of rows, rejects included; None for CSV, where counting takes as long as reading."""
        if any(isinstance(reader, CsvFile) for reader in self._readers):
            return None
        with _faults_of(self.path):
            return sum(reader.rows for reader in self._readers)

    def blocks(self) -> Iterator[Block]:
        for rows in self._rows():
            values = self._standardisation.apply(rows.values)
            sound = rows.sound & np.isfinite(values).all(axis=1)
            yield Block(
                values=values[sound],
                ids=list(compress(rows.ids, sound)),
                labels=rows.labels and list(compress(rows.labels, sound)),
                splits=list(compress(rows.splits, sound)),
                sha256=list(compress(rows.sha256, sound)),
                rejects=[
                    Reject(rows.ids[row], rows.sha256[row], rows.faults[row] or TOO_LARGE)
                    for row in np.flatnonzero(~sound).tolist()
                ],
            )

    @cached_property
    def _readers(self) -> list[Reader]:
        """Readers of the files that have rows."""
        found = readers_of(self.path, header=self.header, missing=self.missing)
        empty = [reader for reader in found if _is_empty(reader)]
        if len(empty) == len(found):
            raise NothingThere(f"{self.path} has no rows")
        if empty:
            log.warning("skipped, since they have no rows: %s", _first([reader.path.name for reader in empty]))
        return [reader for reader in found if reader not in empty]

    @cached_property
    def _columns(self) -> list[str]:
        """The columns of the values; every file has them."""
        for reader in self._readers:
            with _faults_of(reader.path):
                _refuse_misfit(reader, self.columns or [], self._text_columns)
        return self.columns or _all_columns(self._readers, self._text_columns)

    @property
    def _text_columns(self) -> list[str]:
        """Columns that are read as text."""
        return list(dict.fromkeys(name for name in (self.label, self.id, self.split) if name is not None))

    @property
    def _kinds(self) -> dict[str, Kind]:
        """What each column is read as."""
        return {**dict.fromkeys(self._columns, "number"), **dict.fromkeys(self._text_columns, "raw")}

    @cached_property
    def _standardisation(self) -> Standardisation:
        if self.given is not None and len(self.given.mean) == len(self._columns):
            return self.given
        if not self.standardise:
            return Standardisation.none(len(self._columns))
        return fit(
            ((rows.values[rows.sound], list(compress(rows.splits, rows.sound))) for rows in self._rows()),
            self._columns,
        )

    def _rows(self) -> Iterator[Rows]:
        for reader in self._readers:
            first = 0
            with _faults_of(reader.path):
                for batch in reader.batches(self._kinds):
                    yield self._read(batch, reader, first)
                    first += len(batch)

    def _read(self, batch: pa.RecordBatch, reader: Reader, first: int) -> Rows:
        values, faults = _values(batch.select(self._columns))
        sha256 = [hashlib.sha256(row.data).hexdigest() for row in values]
        if self.id is None:
            stem, width = reader.stem, len(str(reader.rows))
            ids = [f"{stem}/{row:0{width}d}" for row in range(first, first + len(batch))]
        else:
            ids = _ids(batch, self.id, reader.path, first)
        return Rows(
            values=values,
            faults=faults,
            ids=ids,
            labels=None
            if self.label is None
            else [value if value != "" else None for value in _column(batch, self.label)],
            splits=(
                [split_by_content(sha) for sha in sha256]
                if self.split is None
                else _splits(batch, self.split, reader.path)
            ),
            sha256=sha256,
        )


def _is_empty(reader: Reader) -> bool:
    with _faults_of(reader.path):
        if _repeated(reader.names):
            return False  # it cannot be read, which `_refuse_misfit` reports
        return not reader.rows


def _refuse_misfit(reader: Reader, wanted: list[str], texts: list[str]) -> None:
    """`InputError` unless the file has the columns asked for, once each, and those `wanted` for values are numeric."""
    if repeated := _repeated(reader.names):
        raise InputError(f"{reader.path} has more than one column called {_first(repeated)}: rename them")
    if repeated := _repeated(wanted + texts):
        raise InputError(f"columns, label, id and split name {_first(repeated)} more than once: use each column once")
    for name in wanted + texts:
        if name not in reader.names:
            raise InputError(f"{reader.path} has no column {name!r}; {_known(name, reader.names)}")
    if other := [name for name in wanted if name not in reader.numeric]:
        numeric = [name for name in reader.names if name in reader.numeric]
        raise InputError(f"{reader.path}: {_first(other)} not numeric throughout; numeric are {_first(numeric)}")


def _all_columns(readers: Sequence[Reader], texts: list[str]) -> list[str]:
    """Columns that are numeric in all files and have no other use."""
    candidates = [name for name in readers[0].names if name not in texts]
    usable = set.intersection(*(reader.numeric for reader in readers)) - INDEX_COLUMNS
    if not usable & set(candidates):
        raise InputError(
            f"{readers[0].path} has no column of numbers for values, only {_first(readers[0].names)}: "
            "give a comma-separated file with a header line, or encode the text as numbers"
        )
    if left_out := [name for name in candidates if name not in usable]:
        log.warning("left out of the values, since not numeric throughout: %s", _first(left_out))
    return [name for name in candidates if name in usable]


def _values(batch: pa.RecordBatch) -> tuple[np.ndarray, list[str | None]]:
    """Values (n, columns), and for each row its first fault."""
    values = np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns], axis=1)
    finite = np.isfinite(values)
    faults: list[str | None] = [None] * len(values)
    for row in np.flatnonzero(~finite.all(axis=1)).tolist():
        place = int(finite[row].argmin())
        fault = "NaN or Inf" if batch.column(place)[row].is_valid else "missing value"
        faults[row] = f"{fault} in column {batch.schema.names[place]!r}"
    return values, faults


def _column(batch: pa.RecordBatch, name: str) -> list[Any]:
    found: list[Any] = batch.column(name).to_pylist()
    return found


def _texts(batch: pa.RecordBatch, name: str) -> list[str | None]:
    """A column as text; None where it is null or empty."""
    return [text or None for text in batch.column(name).cast(pa.string()).to_pylist()]


def _ids(batch: pa.RecordBatch, name: str, path: Path, first: int) -> list[str]:
    found = _texts(batch, name)
    ids = [text for text in found if text is not None]
    if len(ids) < len(found):
        raise InputError(f"{path}: row {first + found.index(None)} has no id in column {name!r}: give every row one")
    return ids


def _splits(batch: pa.RecordBatch, name: str, path: Path) -> list[str]:
    found = [str(text) for text in _texts(batch, name)]
    if other := sorted(set(found) - {"train", "test"}):
        raise InputError(f"{path}: column {name!r} has {_first(other)}, expected train or test in every row")
    return found


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _known(name: str, names: Sequence[str]) -> str:
    return suggestion(name, list(names)) if len(names) <= 10 else f"it has {_first(names)}"


def _first(names: Sequence[str]) -> str:
    return first_of([repr(name) for name in names]) or "none"


def _faults_of(path: Path) -> AbstractContextManager[None]:
    faults = (pa.ArrowException, OSError, ValueError, KeyError)
    return faults_of(path, "fix it, or save it again as parquet", faults, "a table")
