"""The rows of a CSV or parquet file, or of a folder of parquet files: any size, read as a stream."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.standardise import TOO_LARGE, Standardisation
from ae_pipelines.samples.tables.candidates import Candidates, filled_readers
from ae_pipelines.samples.tables.csv_file import CsvFile
from ae_pipelines.samples.tables.learning import Learning
from ae_pipelines.samples.tables.reader import Kind, Reader, table_faults
from ae_pipelines.samples.tables.rows import Rows, array_of, sha256_of_rows
from ae_pipelines.samples.tables.treated import Mixed, Numbers, Treated, without
from ae_pipelines.samples.tables.treatments import FORMATS, ColumnType, Treating, in_words, is_mixed

log = logging.getLogger(__name__)

KINDS: dict[ColumnType, Kind] = {"number": "number", "boolean": "boolean", "date": "date", "category": "text"}
"""What a column is read as."""
LIKE_LABELS = {"label", "class", "target", "y"}
"""What people call the column of labels, in lower case."""


@SOURCES.register("table")
@dataclass(frozen=True)
class Table:
    """The samples of a table of numbers, categories, booleans and dates; any of them may be missing."""

    given: Mapping[str, Any] | None = None
    """What was learned of the columns of other samples; None: it is learned from the train rows."""
    _: KW_ONLY
    path: Path
    """`.csv`, `.parquet`, or a folder of `.parquet` files, read in the order of their names."""
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    """The columns of a sample, in this order; None: all that can be used and have no other use."""
    label: str | None = None
    """Column of labels; a row without one is unlabelled."""
    unlabelled: Unlabelled = None
    id: str | None = None
    """Column of sample ids; None: the file's name and the row's number."""
    split: str | None = None
    """Column that says train or test; None: it follows from the row's values."""
    header: bool | None = None
    """Whether a CSV file has a line of names; without one, columns are column_0, column_1 ...; None: by looking."""
    missing: list[str] = field(default_factory=list)
    """What stands for a missing value, beside empty cells, NA and null: such as -999 or ?."""
    standardise: bool = True
    """Scale each number to mean 0 and variance 1 over the train rows."""
    scaling: Literal["standardise", "quantile"] = "standardise"
    """quantile: a number becomes its rank among the train rows before it is standardised."""
    min_frequency: Annotated[float, Field(gt=0)] = 0.01
    """Levels of a category that fewer of the train rows have are merged into one: a share, or from 1 on a number."""
    max_categories: Annotated[int, Field(ge=2)] = 30
    """Most features that a category becomes, with the one for merged levels."""

    @property
    def name(self) -> str:
        return printable_stem(self.path)

    def like(self, spec: SampleSpec) -> "Table":
        """These rows, with the columns of samples like `spec` and what was learned of them, unless other ones were
        given."""
        columns, missing = spec.preprocessing.get("columns"), spec.preprocessing.get("missing", [])
        return replace(self, given=spec.preprocessing, columns=self.columns or columns, missing=self.missing or missing)

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(self._treated.width,), dtype="float32", preprocessing=self._treated.preprocessing)

    def count(self) -> int | None:
        """Number of rows, rejects included; None for CSV, where counting takes as long as reading."""
        if any(isinstance(reader, CsvFile) for reader in self._readers):
            return None
        with table_faults(self.path):
            return sum(reader.rows for reader in self._readers)

    def blocks(self) -> Iterator[Block]:
        counts, told = Counter[str](), dict[str, str]()
        for rows in self._rows(self._treated.types):
            values, faults = self._treated.values(rows.columns), self._treated.faults(rows.columns)
            sound = without(faults) & np.isfinite(values).all(axis=1)
            for name, (count, what) in self._treated.surprises(rows.columns).items():
                counts[name] += count
                told.setdefault(name, what)
            yield Block(
                values=values[sound],
                ids=list(compress(rows.ids, sound)),
                labels=rows.labels and list(compress(rows.labels, sound)),
                splits=list(compress(rows.splits, sound)),
                sha256=list(compress(rows.sha256, sound)),
                rejects=[
                    Reject(rows.ids[row], rows.sha256[row], faults[row] or TOO_LARGE)
                    for row in np.flatnonzero(~sound).tolist()
                ],
            )
        if counts:
            found = {name: (count, told[name]) for name, count in counts.items()}
            log.warning("not met in the train rows: %s", in_words(found))

    # -- columns ---------------------------------------------------------------------------------------------

    @cached_property
    def _readers(self) -> list[Reader]:
        options: dict[str, Any] = {"header": self.header, "missing": self.missing}
        return filled_readers(self.path, self.columns, written=self._written, **options)

    @property
    def _written(self) -> dict[str, str] | None:
        """By which format the columns were written that the training used, other than categories."""
        if (known := self._known()) is None:
            return None
        formats = known.preprocessing.get(FORMATS, {})
        return {name: formats.get(name, "") for name, kind in known.types.items() if kind != "category"}

    @property
    def _others(self) -> list[str]:
        """Columns with another use."""
        return list(dict.fromkeys(name for name in (self.label, self.id, self.split) if name is not None))

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(self.path, self._readers, self.columns, self._others)

    @cached_property
    def _treated(self) -> Treated:
        """As it was learned of other samples, or is learned from these."""
        if (known := self._known()) is not None:
            self._candidates.check(known.types, known.preprocessing.get("left_out", {}))
            return known
        treating = Treating(self.scaling if self.standardise else "none", self.min_frequency, self.max_categories)
        plain = self.scaling == "standardise"
        found = Learning(self._candidates, self._rows, treating, plain, self.missing).treated()
        if self.label is None and self.columns is None:
            _tell_like_labels(found.types)
        return found

    def _known(self) -> Treated | None:
        if self.given is None or self.columns is None or self.given.get("columns") != self.columns:
            return None
        if is_mixed(self.given):
            return Mixed(dict(self.given))
        scale = Standardisation.recorded(dict(self.given))
        if self.standardise != (scale is not None):
            return None
        return Numbers(list(self.given["columns"]), scale, self.given.get(FORMATS, {}))

    # -- rows ------------------------------------------------------------------------------------------------

    def _rows(self, types: Mapping[str, ColumnType]) -> Iterator[Rows]:
        kinds: dict[str, Kind] = {name: KINDS[kind] for name, kind in types.items()}
        for reader in self._readers:
            first = 0
            with table_faults(reader.path):
                for batch in reader.batches({**kinds, **dict.fromkeys(self._others, "raw")}):
                    yield self._read(batch, types, reader, first)
                    first += len(batch)

    def _read(self, batch: pa.RecordBatch, types: Mapping[str, ColumnType], reader: Reader, first: int) -> Rows:
        columns = {name: array_of(batch.column(name), kind) for name, kind in types.items()}
        sha256 = sha256_of_rows(columns, len(batch))
        if self.id is None:
            width = len(str(reader.rows))
            ids = [f"{reader.stem}/{row:0{width}d}" for row in range(first, first + len(batch))]
        else:
            ids = _ids(batch, self.id, reader.path, first)
        return Rows(
            columns=columns,
            ids=ids,
            labels=None if self.label is None else batch.column(self.label).to_pylist(),
            splits=(
                [split_by_content(sha) for sha in sha256]
                if self.split is None
                else _splits(batch, self.split, reader.path)
            ),
            sha256=sha256,
        )


def _tell_like_labels(names: Collection[str]) -> None:
    """Warn of values that are called as labels are; y beside an x is a place."""
    called = {name.strip().lower(): name for name in names}
    for lower, name in called.items():
        if lower in LIKE_LABELS and not (lower == "y" and "x" in called):
            log.warning("column %r is a value; source.label=%s makes it the label", name, name)


def _texts(batch: pa.RecordBatch, name: str) -> list[str | None]:
    """A column as text; None where it is null, NaN or blank."""
    column = batch.column(name)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return [text if text and text.strip() else None for text in column.cast(pa.string()).to_pylist()]


def _ids(batch: pa.RecordBatch, name: str, path: Path, first: int) -> list[str]:
    found = _texts(batch, name)
    ids = [text for text in found if text is not None]
    if len(ids) < len(found):
        raise InputError(f"{path}: row {first + found.index(None)} has no id in column {name!r}: give every row one")
    return ids


def _splits(batch: pa.RecordBatch, name: str, path: Path) -> list[str]:
    found = [str(text) for text in _texts(batch, name)]
    if other := sorted(set(found) - {"train", "test"}):
        raise InputError(
            f"{path}: column {name!r} has {first_of([*map(repr, other)])}, expected train or test in every row"
        )
    return found
