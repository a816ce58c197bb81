"""The rows of a CSV or parquet file, or of a folder of parquet files: any size, read as a stream."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ae_pipelines.base.errors import InputError, NothingThere, first_of, suggestion
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.standardise import TOO_LARGE, Standardisation, fit
from ae_pipelines.samples.tables import features, treatments
from ae_pipelines.samples.tables.column_roles import NumberFacts, not_values, values_among
from ae_pipelines.samples.tables.files import CsvFile, Kind, Reader, readers_of
from ae_pipelines.samples.tables.treatments import ColumnType, Look, TrainRows, Treating

log = logging.getLogger(__name__)

KINDS: dict[ColumnType, Kind] = {"number": "number", "boolean": "boolean", "date": "date", "category": "text"}
"""What a column is read as."""
READ_AS: dict[ColumnType, set[str]] = {
    "number": {"number", "boolean", "empty"},
    "boolean": {"number", "boolean", "empty"},
    "date": {"date", "empty"},
    "category": {"number", "boolean", "date", "text", "empty"},
}
"""What a column may be in a file, by what it was in the training."""
NUMERIC = {"number", "boolean"}
KEEP = ". A lower source.min_frequency keeps rarer levels; source.id=<column> takes one as the ids of rows"
MOST_COLUMNS = 50_000
"""A file with more is refused unless some are named."""


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


class Treated(Protocol):
    """Columns of which all is known that it takes to make samples of them."""

    @property
    def types(self) -> Mapping[str, ColumnType]: ...

    @property
    def preprocessing(self) -> dict[str, Any]: ...

    @property
    def width(self) -> int: ...

    def values(self, columns: features.Columns) -> np.ndarray:
        """float32 (rows, width)."""
        ...

    def faults(self, columns: features.Columns) -> list[str | None]:
        """Why a row cannot be used; None: it can."""
        ...

    def surprises(self, columns: features.Columns) -> dict[str, tuple[int, str]]:
        """What the training has not met, by column."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers, each its own feature; a row in which one is missing cannot be used."""

    names: list[str]
    scale: Standardisation | None

    @property
    def types(self) -> Mapping[str, ColumnType]:
        return dict.fromkeys(self.names, "number")

    @property
    def preprocessing(self) -> dict[str, Any]:
        return {"columns": self.names, **(self.scale.record() if self.scale else {})}

    @property
    def width(self) -> int:
        return len(self.names)

    def values(self, columns: features.Columns) -> np.ndarray:
        scale = self.scale or Standardisation.none(len(self.names))
        return scale.apply(np.stack([columns[name] for name in self.names], axis=1))

    def faults(self, columns: features.Columns) -> list[str | None]:
        return _faults({name: ~np.isfinite(values) for name, values in columns.items()}, columns)

    def surprises(self, columns: features.Columns) -> dict[str, tuple[int, str]]:
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

    def values(self, columns: features.Columns) -> np.ndarray:
        return features.features(columns, self.preprocessing)

    def faults(self, columns: features.Columns) -> list[str | None]:
        return _faults({name: np.isinf(values) for name, values in _numbers_among(columns).items()}, columns)

    def surprises(self, columns: features.Columns) -> dict[str, tuple[int, str]]:
        return features.surprises(columns, self.preprocessing)


class SomethingMissing(Exception):  # noqa: N818
    """A cell has nothing in it."""


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
        with _faults_of(self.path):
            return sum(reader.rows for reader in self._readers)

    def blocks(self) -> Iterator[Block]:
        counts, told = Counter[str](), dict[str, str]()
        for rows in self._rows(self._treated.types):
            values, faults = self._treated.values(rows.columns), self._treated.faults(rows.columns)
            sound = _none(faults) & np.isfinite(values).all(axis=1)
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
            log.warning("not met in the train rows: %s", treatments.in_words(found))

    # -- which columns ---------------------------------------------------------------------------------------

    @cached_property
    def _readers(self) -> list[Reader]:
        """Readers of the files that have rows."""
        found = readers_of(self.path, header=self.header, missing=self.missing)
        for reader in found:
            _refuse_width(reader, self.columns)
        empty = [reader for reader in found if _is_empty(reader)]
        if len(empty) == len(found):
            raise NothingThere(f"{self.path} has no rows")
        if empty:
            log.warning("skipped, since they have no rows: %s", _first([reader.path.name for reader in empty]))
        return [reader for reader in found if reader not in empty]

    @property
    def _others(self) -> list[str]:
        """Columns with another use."""
        return list(dict.fromkeys(name for name in (self.label, self.id, self.split) if name is not None))

    @cached_property
    def _candidates(self) -> dict[str, ColumnType]:
        """The columns that may be values, with what they are in all files."""
        for reader in self._readers:
            with _faults_of(reader.path):
                _refuse_misfit(reader, self.columns or [], self._others)
        if self.columns:
            self._refuse_unusable()
        self._tell({name: why for name, why in self._set_aside.items() if self._types[name] not in KINDS})
        return {
            name: self._types[name]  # type: ignore[misc]
            for name in self.columns or self._names
            if name not in self._set_aside
        }

    @cached_property
    def _set_aside(self) -> dict[str, str]:
        """Why columns that nobody asked for are no values, by their types and names."""
        if self.columns:
            return {}
        types = {name: self._types[name] for name in self._names}
        unusable = {name: _types_of(name, self._readers) for name, kind in types.items() if kind not in KINDS}
        numbers, files = [name for name in types if types[name] == "number"], list(self._facts())
        values = {*values_among(numbers, files)}
        known = {name: [facts[name] for facts in files if name in facts] for name in numbers if name not in values}
        return unusable | not_values(known)

    def _facts(self) -> Iterator[Mapping[str, NumberFacts]]:
        for reader in self._readers:
            with _faults_of(reader.path):
                yield reader.facts

    @property
    def _names(self) -> list[str]:
        """Columns that all files have and that have no other use."""
        first, *more = self._readers
        return [n for n in first.names if n not in self._others and all(n in reader.names for reader in more)]

    @cached_property
    def _types(self) -> dict[str, str]:
        """What each column is in all files: text, where they differ."""
        types = [reader.types for reader in self._readers]
        return {name: _joined({found[name] for found in types if name in found}) for name in self._readers[0].names}

    def _refuse_unusable(self) -> None:
        if other := [name for name in self.columns or [] if self._types[name] not in KINDS]:
            usable = [name for name in self._names if self._types[name] in KINDS]
            raise InputError(
                f"{self.path}: {_first(other)} can be no values, since there are neither numbers, text nor dates in "
                f"them; usable are {_first(usable)}"
            )

    # -- what becomes of them --------------------------------------------------------------------------------

    @cached_property
    def _treated(self) -> Treated:
        """As it was learned of other samples, or is learned from these."""
        return self._known() or self._learned()

    def _known(self) -> Treated | None:
        if self.given is None or self.given.get("columns") != self.columns:
            return None
        if treatments.is_mixed(self.given):
            return self._told_of_others(Mixed(dict(self.given)))
        scale = Standardisation.recorded(dict(self.given))
        if self.standardise != (scale is not None):
            return None
        return self._told_of_others(Numbers(list(self.given["columns"]), scale))

    def _told_of_others(self, known: Treated) -> Treated:
        """`known`; says which columns are not used, and refuses those that hold something else than they did."""
        for reader in self._readers:
            with _faults_of(reader.path):
                _refuse_misfit(reader, list(known.types), self._others)
                _refuse_other_types(reader, known.types)
        left_out = known.preprocessing.get("left_out", {})
        if more := [name for name in self._names if name not in known.types and name not in left_out]:
            log.info("columns that the training did not have are not used: %s", _first(more))
        return known

    def _learned(self) -> Treated:
        types = self._candidates
        if not types:
            raise self._nothing_usable()
        found = self._numbers(types) if self._may_be_plain(types.values()) else None
        return found or self._mixed(types)

    def _may_be_plain(self, types: Iterable[ColumnType]) -> bool:
        return {*types} <= NUMERIC and self.scaling == "standardise"

    def _numbers(self, types: Mapping[str, ColumnType]) -> Numbers | None:
        """Columns of numbers, as they are learned from in one pass; None if something is missing in one."""
        names = list(types)
        try:
            if self.standardise:
                return Numbers(names, fit(self._complete(types), names))
            for _ in self._complete(types):
                pass
        except SomethingMissing:
            return None
        return Numbers(names, None)

    def _complete(self, types: Mapping[str, ColumnType]) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Values and splits of the rows without Inf; `SomethingMissing` if there is a NaN."""
        for rows in self._rows(types):
            values = np.stack(list(rows.columns.values()), axis=1)
            if np.isnan(values).any():
                raise SomethingMissing
            sound = np.isfinite(values).all(axis=1)
            yield values[sound], list(compress(rows.splits, sound))

    def _mixed(self, types: Mapping[str, ColumnType]) -> Treated:
        """Columns of which some are no numbers, or have missing cells."""
        look = Look(types)
        for rows in self._rows(types):
            look.add(rows.columns)
        useless = look.useless(self._treating)
        used = {name: kind for name, kind in types.items() if name not in useless}
        numbers = {name: kind for name, kind in types.items() if kind in NUMERIC and useless.get(name) != "empty"}
        if numbers and self._may_be_plain(used.values()) and not any(look.missing[name] for name in numbers):
            self._tell({name: why for name, why in useless.items() if name not in numbers})
            if (found := self._numbers(numbers)) is not None:
                return found
        self._tell(useless)
        if not used:
            raise self._nothing_usable()
        learned = treatments.learn(self._train_rows(used), used, self._treating)
        learned["left_out"] = self._set_aside | useless
        if self.missing:
            learned["missing"] = [str(text) for text in self.missing]
        return self._reported(Mixed(learned))

    def _train_rows(self, used: Mapping[str, ColumnType]) -> features.Columns:
        train = TrainRows(len(used))
        for rows in self._rows(used):
            sound = _none(_faults({n: np.isinf(v) for n, v in _numbers_among(rows.columns).items()}, rows.columns))
            train.add(rows.columns, rows.sha256, sound & (np.asarray(rows.splits) == "train"))
        if not train.seen:
            raise InputError("no usable row is in the train split, so there is nothing to learn from: give more rows")
        if train.seen > train.most:
            log.info("what becomes of columns is learned from %d of the %d train rows", train.most, train.seen)
        return train.columns()

    @property
    def _treating(self) -> Treating:
        return Treating(self.scaling if self.standardise else "none", self.min_frequency, self.max_categories)

    def _tell(self, useless: Mapping[str, str]) -> None:
        """Say which columns are left out; `InputError` for text that was asked for and cannot be used."""
        asked_for = [name for name in useless if self.columns and useless[name].startswith(treatments.FREE_TEXT)]
        if asked_for:
            raise InputError(
                f"{self.path}: {_first(asked_for)} cannot be values: {treatments.FREE_TEXT}. Leave them out, make "
                "categories or numbers of them, or take one as the ids of the rows",
                options={"source.min_frequency": "2", "source.id": "..."},
            )
        if useless:
            said = "; ".join(
                f"{_first([name for name in useless if useless[name] == why])} ({why})"
                for why in dict.fromkeys(useless.values())
            )
            log.warning("left out of the values: %s", said + (KEEP if treatments.FREE_TEXT in useless.values() else ""))

    def _reported(self, mixed: Mixed) -> Mixed:
        table = treatments.described(mixed.preprocessing)
        log.info("what becomes of each column:\n%s", "\n".join(treatments.in_lines(table)))
        return mixed

    def _nothing_usable(self) -> InputError:
        return InputError(
            f"{self.path} has no column of values, only {_first(self._readers[0].names)}: give one with columns of "
            "numbers, categories or dates, or name those that are values all the same",
            options={"source.columns": "[...]"},
        )

    # -- rows ------------------------------------------------------------------------------------------------

    def _rows(self, types: Mapping[str, ColumnType]) -> Iterator[Rows]:
        kinds: dict[str, Kind] = {name: KINDS[kind] for name, kind in types.items()}
        for reader in self._readers:
            first = 0
            with _faults_of(reader.path):
                for batch in reader.batches({**kinds, **dict.fromkeys(self._others, "raw")}):
                    yield self._read(batch, types, reader, first)
                    first += len(batch)

    def _read(self, batch: pa.RecordBatch, types: Mapping[str, ColumnType], reader: Reader, first: int) -> Rows:
        columns = {name: _array(batch.column(name), kind) for name, kind in types.items()}
        sha256 = _sha256(columns, len(batch))
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


def _is_empty(reader: Reader) -> bool:
    with _faults_of(reader.path):
        if _repeated(reader.names):
            return False  # it cannot be read, which `_refuse_misfit` reports
        return not reader.rows


def _refuse_width(reader: Reader, columns: Sequence[str] | None) -> None:
    """Before anything is read of a file that would take minutes to look at."""
    with _faults_of(reader.path):
        count = len(reader.names)
    if columns is None and count > MOST_COLUMNS:
        raise InputError(
            f"{reader.path} has {count:,} columns, and a table may have up to {MOST_COLUMNS:,}: save the numbers as an "
            "array (numpy.save) for source=array, or name some columns",
            options={"source.columns": "[...]"},
        )


def _refuse_misfit(reader: Reader, wanted: list[str], others: list[str]) -> None:
    """`InputError` unless the file has the columns asked for, once each."""
    if repeated := _repeated(reader.names):
        raise InputError(f"{reader.path} has more than one column called {_first(repeated)}: rename them")
    if repeated := _repeated(wanted + others):
        raise InputError(f"columns, label, id and split name {_first(repeated)} more than once: use each column once")
    for name in wanted + others:
        if name not in reader.names:
            raise InputError(f"{reader.path} has no column {name!r}; {_known(name, reader.names)}")


def _refuse_other_types(reader: Reader, types: Mapping[str, ColumnType]) -> None:
    """`InputError` where a column holds something else than in the training."""
    held = reader.types
    for name, kind in types.items():
        if (found := held[name]) not in READ_AS[kind]:
            raise InputError(
                f"{reader.path}: column {name!r} holds {found}, expected what it held in the training: "
                f"{features.EXPECTED[kind]}. Mend it, or say what stands for missing values",
                options={"source.missing": "[...]"},
            )


def _joined(types: set[str]) -> str:
    """What a column is that is each of these in some file."""
    found = types - {"empty"}
    if not found or "unusable" in found:
        return "unusable" if found else "empty"
    if found == NUMERIC:
        return "number"
    return next(iter(found)) if len(found) == 1 and found != {"text"} else "category"


def _types_of(name: str, readers: Sequence[Reader]) -> str:
    """The types of a column that holds neither numbers, dates nor text."""
    return " or ".join(dict.fromkeys(reader.unusable.get(name, "empty") for reader in readers))


def _array(column: pa.Array, kind: ColumnType) -> np.ndarray:
    if kind == "category":
        return np.asarray(pc.fill_null(column, "").to_numpy(zero_copy_only=False), object)
    if kind == "date":
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.float64) / 86_400e6
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _numbers_among(columns: features.Columns) -> dict[str, np.ndarray]:
    return {name: values for name, values in columns.items() if values.dtype != object}


def _sha256(columns: features.Columns, rows: int) -> list[str]:
    """Of each row as the file holds it: of its numbers as float64, dates as days, then of its texts."""
    numbers, texts = list(_numbers_among(columns).values()), [v for v in columns.values() if v.dtype == object]
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


def _faults(bad: Mapping[str, np.ndarray], columns: features.Columns) -> list[str | None]:
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


def _none(faults: Sequence[str | None]) -> np.ndarray:
    return np.array([fault is None for fault in faults], bool)


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
