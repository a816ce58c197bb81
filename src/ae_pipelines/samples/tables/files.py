"""Tables in files, a few rows at a time: columns as numbers, dates or text, by what is in them."""

import csv
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.parquet import is_text, open_parquet, readable
from ae_pipelines.samples.tables.cells import (
    PLAIN,
    Column,
    ColumnType,
    Missing,
    formats,
    look_at_plain_numbers,
    plain_numbers,
    texts,
)
from ae_pipelines.samples.tables.column_roles import FactsBuilder, NumberFacts
from ae_pipelines.samples.tables.dialect import Dialect

log = logging.getLogger(__name__)

BLOCK_BYTES = 4 * 2**20
"""Most bytes of values in a block."""
CSV_BYTES = 2**20
"""Bytes of a CSV file read at a time (Arrow holds some 40 times as much)."""
WIDE_CSV_BYTES = 8 * 2**20
"""Where rows are so long that less would be a few rows, for each of which all columns are gone through."""
MANY_COLUMNS = 50_000
"""Reading some 100,000 columns of CSV takes seconds for each dozen of rows, and 14 KB of memory for each column."""
TOGETHER = 512
"""Columns of a CSV file that are read as numbers in one go."""
BLOCK_ROWS = 16_384
PARQUET_BUFFER = 64 * 2**10
"""Bytes buffered for each column; without a buffer, whole row groups are read."""
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""Value of a folder of rows that have none."""
_PARTITION_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")

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
    def types(self) -> Mapping[str, ColumnType]:
        """What each column is, by all its rows in CSV, by its type in parquet."""
        ...

    @property
    def unusable(self) -> Mapping[str, str]:
        """Types of the columns that hold neither numbers, dates nor text, in the file's own words."""
        ...

    @property
    def facts(self) -> Mapping[str, NumberFacts]:
        """What is known of each column of numbers, from all its rows."""
        ...

    @property
    def numeric(self) -> set[str]:
        """Names of the columns of numbers or booleans, whose values may be missing in some rows."""
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


def readers_of(path: Path, *, header: bool | None = None, missing: Sequence[str | float] = ()) -> list[Reader]:
    """Readers of a `.csv`, a `.parquet`, or of a folder of `.parquet` files in the order of their names.

    Folders called `name=value` within it are a column `name`, as Hive, Spark and DuckDB write partitions. `header`
    says whether CSV has a line of names (None: by looking), `missing` are more texts that mean a missing value.
    """
    if path.is_dir():
        return _parquet_files(path, missing)
    if not path.is_file():
        raise InputError(
            f"no file {path}: give a .csv, a .parquet, or a folder of .parquet files", options={"source.path": "..."}
        )
    if path.suffix.lower() == ".csv":
        return [CsvFile(path, header, missing)]
    if path.suffix.lower() == ".parquet":
        return [ParquetFile(path, missing)]
    raise InputError(f"{path} is neither .csv nor .parquet: convert it, or rename it if it is")


class CsvFile:
    """A CSV file; every column is read as text, so that no type is guessed from the first rows."""

    def __init__(self, path: Path, header: bool | None = None, missing: Sequence[str | float] = ()) -> None:
        self.path, self.stem = path, path.stem
        self._header = header
        self._missing = Missing(missing)

    @cached_property
    def names(self) -> list[str]:
        names = self._dialect.names
        if names.count("") < 2:
            return names
        return [name or f"Unnamed: {place}" for place, name in enumerate(names)]

    @cached_property
    def types(self) -> Mapping[str, ColumnType]:
        return {name: column.type for name, column in zip(self.names, self._scan.columns, strict=True)}

    @property
    def unusable(self) -> Mapping[str, str]:
        return {}

    @cached_property
    def facts(self) -> Mapping[str, NumberFacts]:
        found = zip(self.names, self._scan.columns, self._scan.facts, strict=True)
        return {name: facts for name, column, facts in found if column.type == "number"}

    @cached_property
    def numeric(self) -> set[str]:
        return {name for name, type_ in self.types.items() if type_ in ("number", "boolean")}

    @property
    def rows(self) -> int:
        return self._scan.rows

    def batches(self, columns: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        known = {name: place for place, name in enumerate(self.names)}
        places = [known[name] for name in columns]
        first, blank = 0, self._scan.blank
        for batch in self._texts(places):
            rows = len(batch)
            if len(here := blank[(blank >= first) & (blank < first + rows)]):
                batch = batch.filter(pa.array(~np.isin(np.arange(first, first + rows), here)))
            first += rows
            read = pa.record_batch(self._read(batch.columns, places, list(columns.values())), names=list(columns))
            yield from (read.slice(start, BLOCK_ROWS) for start in range(0, len(read), BLOCK_ROWS))

    def _read(self, columns: list[pa.Array], places: list[int], kinds: list[Kind]) -> list[pa.Array]:
        """Columns as these kinds; those of plain numbers together, since going through them one by one is slow."""
        plain = [
            number
            for number, (place, kind) in enumerate(zip(places, kinds, strict=True))
            if kind in ("number", "boolean") and self._scan.columns[place].format is PLAIN
        ]
        found: dict[int, pa.Array] = {}
        for start in range(0, len(plain), TOGETHER):
            some = plain[start : start + TOGETHER]
            if read := plain_numbers([columns[number] for number in some], self._missing):
                rows = len(columns[0])
                found |= {number: read[1].slice(place * rows, rows) for place, number in enumerate(some)}
        return [
            found[number] if number in found else self._read_one(column, place, kind)
            for number, (column, place, kind) in enumerate(zip(columns, places, kinds, strict=True))
        ]

    def _read_one(self, column: pa.Array, place: int, kind: Kind) -> pa.Array:
        if kind == "raw":
            return column
        if kind == "text":
            return texts(column, self._missing)
        if kind == "date" and self._scan.columns[place].type == "empty":
            return pa.nulls(len(column), pa.timestamp("us"))
        return self._scan.columns[place].values(column)

    @cached_property
    def _dialect(self) -> Dialect:
        found = Dialect.of(self.path, self._header)
        found.tell(self.path)
        if len(found.names) > MANY_COLUMNS:
            log.info(
                "%s has %d columns, which takes long as text: where all are numbers, a .npy is faster, "
                "source=array,source.layout=NF",
                *(self.path.name, len(found.names)),
            )
        return found

    @cached_property
    def _scan(self) -> "_Scan":
        """What is in the columns, by one pass through the whole file."""
        tried = formats(self._dialect.delimiter)
        scan = _Scan([Column(tried, self._missing) for _ in self.names], self._missing)
        for batch in self._texts(range(len(self.names))):
            scan.look(batch)
        scan.tell(self.path, self.names)
        return scan

    def _texts(self, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The columns at these places, as text; each is called by its place."""
        dialect = self._dialect
        if not dialect.has_rows:
            return
        names = [str(place) for place in places]
        reading = pa.csv.ReadOptions(
            block_size=max(CSV_BYTES, min(WIDE_CSV_BYTES, 64 * dialect.longest_line), 2 * dialect.longest_line),
            column_names=[str(place) for place in range(len(dialect.names))],
            skip_rows=dialect.skipped,
            skip_rows_after_names=int(dialect.header),
            encoding=dialect.encoding.removesuffix("-sig"),
        )
        parsing = pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
        converting = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=names)
        try:
            with pa.csv.open_csv(self.path, reading, parsing, converting) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if (ragged := self._ragged()) is None:
                raise
            raise ragged from error

    def _ragged(self) -> InputError | None:
        """The error of the first row that has more or fewer cells than there are columns."""
        dialect = self._dialect
        with self.path.open(encoding=dialect.encoding, newline="", errors="replace") as file:
            for _ in range(dialect.skipped):
                file.readline()
            reader = csv.reader(file, delimiter=dialect.delimiter)
            try:
                for row in reader:
                    if row and len(row) != len(dialect.names):
                        return InputError(
                            f"{self.path} cannot be read as a table: line {dialect.skipped + reader.line_num} has "
                            f"{len(row)} cells, expected {len(dialect.names)} as in the first: mend that line"
                        )
            except csv.Error:
                pass
        return None


class _Scan:
    """What is known of a CSV file after some of its rows."""

    def __init__(self, columns: list[Column], missing: Missing) -> None:
        self.columns, self._missing = columns, missing
        self.rows = 0
        self._facts = FactsBuilder(len(columns))
        self._seen = 0
        self._blank: list[np.ndarray] = []

    @cached_property
    def blank(self) -> np.ndarray:
        """Which rows have nothing in any cell."""
        return np.concatenate([np.zeros(0, np.int64), *self._blank])

    @cached_property
    def facts(self) -> list[NumberFacts]:
        return self._facts.facts()

    def look(self, batch: pa.RecordBatch) -> None:
        blank = _blank_rows(batch)
        self._blank.append(self._seen + np.flatnonzero(blank))
        self._seen += len(batch)
        if blank.any():
            batch = batch.filter(pa.array(~blank))
        self.rows += len(batch)
        values = np.full((len(batch), len(self.columns)), np.nan)
        cells = batch.columns
        numbers = [place for place, column in enumerate(self.columns) if PLAIN in column.alive]
        for start in range(0, len(numbers), TOGETHER):
            self._look(numbers[start : start + TOGETHER], cells, values)
        for place in sorted(set(range(len(self.columns))).difference(numbers)):
            self._look([place], cells, values)
        self._facts.look(values)

    def _look(self, places: list[int], cells: list[pa.Array], values: np.ndarray) -> None:
        """Look at the columns at these places, together if they are plain numbers; `values` get the numbers there."""
        columns = [self.columns[place] for place in places]
        here = [cells[place] for place in places]
        if PLAIN in columns[0].alive and (found := look_at_plain_numbers(columns, here, self._missing)) is not None:
            values[:, places] = found
        elif len(places) > 1:
            for place in places:
                self._look([place], cells, values)
        elif (read := columns[0].look(here[0])) is not None:
            values[:, places[0]] = read.to_numpy(zero_copy_only=False)

    def tell(self, path: Path, names: Sequence[str]) -> None:
        """Log what is not as in a plain CSV file."""
        if len(self.blank):
            log.info("%s: %d rows without anything in them are left out", path.name, len(self.blank))
        told: dict[str, list[str]] = {}
        for name, column in zip(names, self.columns, strict=True):
            if column.told:
                told.setdefault(column.told, []).append(repr(name))
        for what, of in told.items():
            log.info("%s: %s: %s", path.name, first_of(of), what)


def _blank_rows(batch: pa.RecordBatch) -> np.ndarray:
    blank = np.ones(len(batch), bool)
    for column in batch.columns:
        if not blank.any():
            break
        blank &= pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
    return blank


class ParquetFile:
    """A parquet file; reading it takes about 2 MB of memory per column (pages).

    `partition` holds columns of one value, with their types, that the file's folders say.
    """

    def __init__(
        self,
        path: Path,
        missing: Sequence[str | float] = (),
        stem: str | None = None,
        partition: Mapping[str, tuple[ColumnType, str | None]] | None = None,
    ) -> None:
        self.path, self.stem = path, path.stem if stem is None else stem
        self._missing = Missing(missing)
        self._given = partition or {}

    @cached_property
    def names(self) -> list[str]:
        return [*self._schema.names, *self._partition]

    @cached_property
    def types(self) -> Mapping[str, ColumnType]:
        found = {field.name: _type(field.type) for field in self._schema}
        found |= dict.fromkeys(self._empty, "empty")
        return found | {name: type_ for name, (type_, _) in self._partition.items()}

    @property
    def unusable(self) -> Mapping[str, str]:
        return {name: str(self._schema.field(name).type) for name, type_ in self.types.items() if type_ == "unusable"}

    @cached_property
    def facts(self) -> Mapping[str, NumberFacts]:
        names = [name for name, type_ in self.types.items() if type_ == "number" and name not in self._partition]
        if not names:
            return {}
        builder = FactsBuilder(len(names))
        for batch in self.batches(dict.fromkeys(names, "number")):
            builder.look(np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns], axis=1))
        return dict(zip(names, builder.facts(), strict=True))

    @cached_property
    def numeric(self) -> set[str]:
        return {name for name, type_ in self.types.items() if type_ in ("number", "boolean")}

    @cached_property
    def rows(self) -> int:
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def batches(self, columns: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        held = [name for name in columns if name not in self._partition]
        with self._opened() as file:
            rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * len(columns))))
            for batch in file.iter_batches(rows, columns=held):
                found = [
                    self._constant(name, kind, len(batch))
                    if name in self._partition
                    else self._read(batch.column(name), kind)
                    for name, kind in columns.items()
                ]
                yield pa.record_batch(found, names=list(columns))

    def _read(self, column: pa.Array, kind: Kind) -> pa.Array:
        column = readable(column)
        if kind == "raw":
            return column
        return self._missing.out_of(_CASTS[kind](column))

    def _constant(self, name: str, kind: Kind, rows: int) -> pa.Array:
        """The value of a partition, in every row."""
        column = pa.array([self._partition[name][1]] * rows, pa.string())
        return column if kind == "raw" else _CASTS[kind](column)

    @cached_property
    def _partition(self) -> Mapping[str, tuple[ColumnType, str | None]]:
        return {name: value for name, value in self._given.items() if name not in self._schema.names}

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._opened() as file:
            return file.schema_arrow

    @cached_property
    def _empty(self) -> set[str]:
        """Columns that are null throughout, by the statistics of the file."""
        with self._opened() as file:
            metadata = file.metadata
            if not metadata.num_rows:
                return set()
            leaves = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
            found = set(leaves) & set(self._schema.names)
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                found = {name for name in found if _is_null(group.column(leaves[name]))}
        return found

    def _opened(self) -> pq.ParquetFile:
        return open_parquet(self.path, buffer_size=PARQUET_BUFFER, pre_buffer=False, page_checksum_verification=True)


def _is_null(chunk: pq.ColumnChunkMetaData) -> bool:
    statistics = chunk.statistics
    return bool(statistics is not None and statistics.has_null_count and statistics.null_count == chunk.num_values)


def _type(type_: pa.DataType) -> ColumnType:
    kinds = pa.types
    if kinds.is_null(type_):
        return "empty"
    if kinds.is_boolean(type_):
        return "boolean"
    if any(kind(type_) for kind in (kinds.is_integer, kinds.is_floating, kinds.is_decimal, kinds.is_duration)):
        return "number"
    if kinds.is_date(type_) or kinds.is_timestamp(type_):
        return "date"
    if kinds.is_dictionary(type_):
        return "text" if _type(type_.value_type) in ("text", "number", "boolean") else "unusable"
    return "text" if is_text(type_) or isinstance(type_, pa.UuidType) else "unusable"


def _as_number(column: pa.Array) -> pa.Array:
    if pa.types.is_duration(column.type):
        seconds = column.cast(pa.duration("ns"), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.divide(seconds, 1e9)
    return column.cast(pa.float64(), safe=False)


def _as_date(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast(pa.timestamp("us"))


_CASTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "number": _as_number,
    "boolean": _as_number,
    "date": _as_date,
    "text": lambda column: texts(column.cast(pa.string()), Missing()),
}


def _parquet_files(folder: Path, missing: Sequence[str | float]) -> list[Reader]:
    paths = sorted(folder.glob("[!.]*.parquet")) or sorted(folder.glob("*=*/**/[!._]*.parquet"))
    if not paths:
        raise NothingThere(f"the folder {folder} has no .parquet files")
    partitions = [_partition(path.relative_to(folder)) for path in paths]
    values: dict[str, set[str]] = {}
    for partition in partitions:
        for name, value in partition.items():
            values.setdefault(name, set()).update([value] if value is not None else [])
    types = {name: _partition_type(found) for name, found in values.items()}
    return [
        ParquetFile(
            path,
            missing,
            path.relative_to(folder).with_suffix("").as_posix(),
            {name: (types[name], value) for name, value in partition.items()},
        )
        for path, partition in zip(paths, partitions, strict=True)
    ]


def _partition(path: Path) -> dict[str, str | None]:
    pairs = (unquote(part).partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: None if value in (NO_PARTITION, "") else value for name, _, value in pairs}


def _partition_type(values: set[str]) -> ColumnType:
    """Numbers, unless one is written otherwise, such as with leading zeros."""
    if not values:
        return "empty"
    return "number" if all(_PARTITION_NUMBER.fullmatch(value) for value in values) else "text"
