"""A CSV file, read as a stream: first to see what is in each column, then for its values."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.tables.cells import (
    AMBIGUOUS,
    PLAIN,
    TOLD,
    CellType,
    Column,
    Missing,
    formats,
    formats_as,
    look_at_plain_numbers,
    plain_numbers,
    texts,
)
from ae_pipelines.samples.tables.column_roles import FactsBuilder, NumberFacts
from ae_pipelines.samples.tables.dialect import LONGEST_SAMPLE, Dialect
from ae_pipelines.samples.tables.reader import BLOCK_ROWS, Kind

log = logging.getLogger(__name__)

CSV_BYTES = 2**20
"""Bytes of a CSV file read at a time (Arrow holds some 40 times as much)."""
WIDE_CSV_BYTES = 8 * 2**20
"""Where rows are so long that less would be a few rows, for each of which all columns are gone through."""
MANY_COLUMNS = 50_000
"""Reading some 100,000 columns of CSV takes seconds for each dozen of rows, and 14 KB of memory for each column."""
TOGETHER = 512
"""Columns of a CSV file that are read as numbers in one go."""


class CsvFile:
    """A CSV file; every column is read as text, so that no type is guessed from the first rows.

    `written` says of the columns that a training used by which format they were written there; "" where nothing is
    known of it, and it is found by looking.
    """

    def __init__(
        self,
        path: Path,
        header: bool | None = None,
        missing: Sequence[str | float] = (),
        written: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self.stem = path, path.stem
        self._header, self._written = header, written or {}
        self._missing = Missing(missing)

    @cached_property
    def names(self) -> list[str]:
        names = self._dialect.names
        if names.count("") < 2:
            return names
        return [name or f"Unnamed: {place}" for place, name in enumerate(names)]

    @cached_property
    def types(self) -> Mapping[str, CellType]:
        return {name: column.type for name, column in zip(self.names, self._scan.columns, strict=True)}

    @property
    def unusable(self) -> Mapping[str, str]:
        return {}

    @cached_property
    def formats(self) -> Mapping[str, str]:
        found = zip(self.names, self._scan.columns, strict=True)
        return {name: column.format.name for name, column in found if column.filled and column.format}

    @cached_property
    def but_for(self) -> Mapping[str, Mapping[str, int]]:
        found = zip(self.names, self._scan.columns, strict=True)
        return {name: column.but_for for name, column in found if column.but_for}

    @cached_property
    def facts(self) -> Mapping[str, NumberFacts]:
        found = zip(self.names, self._scan.columns, self._scan.facts, strict=True)
        return {name: facts for name, column, facts in found if column.type == "number"}

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
        known = {name: formats_as(written) for name, written in self._written.items() if written in TOLD}
        columns = [Column(known.get(name, tried), self._missing) for name in self.names]
        scan = _Scan(columns, self._missing)
        for batch in self._texts(range(len(self.names))):
            scan.look(batch)
        self._refuse_otherwise(scan)
        scan.tell(self.path, self.names, self._written)
        return scan

    def _refuse_otherwise(self, scan: "_Scan") -> None:
        """`InputError` for a column that is not written as it was in the training."""
        for name, column in zip(self.names, scan.columns, strict=True):
            if self._written.get(name) in TOLD and column.filled and not column.format:
                asked = TOLD[self._written[name]]
                raise InputError(
                    f"{self.path}: column {name!r} has {column.otherwise!r:.80}, but the training's was written as "
                    f"{asked.told}: write it so{', or as 2024-12-31' if asked.type == 'date' else ''}, say what stands "
                    "for missing values, or save the table as parquet",
                    options={"source.missing": "[...]"},
                )

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
        parsing = pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=len(dialect.names) > 1,  # of one column they are rows, which are counted
        )
        converting = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=names)
        try:
            with pa.csv.open_csv(self.path, reading, parsing, converting) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if (ragged := self._ragged()) is None:
                raise
            raise ragged from error

    def _ragged(self) -> InputError | None:
        """The error of the first row that has more or fewer cells than there are columns, or no end."""
        dialect = self._dialect
        with self.path.open(encoding=dialect.encoding, newline="", errors="replace") as file:
            for _ in range(dialect.skipped):
                file.readline()
            lines = iter(lambda: file.readline(LONGEST_SAMPLE), "")
            reader = csv.reader(lines, delimiter=dialect.delimiter)
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

    def tell(self, path: Path, names: Sequence[str], written: Mapping[str, str]) -> None:
        """Log what is not as in a plain CSV file, and as a warning where it may not be as it was `written`."""
        if len(self.blank):
            log.info("%s: %d rows without anything in them are left out", path.name, len(self.blank))
        told: dict[tuple[str, bool], list[str]] = {}
        for name, column in zip(names, self.columns, strict=True):
            if column.told:
                told.setdefault((column.told, written.get(name) == ""), []).append(repr(name))
        for (what, new), of in told.items():
            if new and what != AMBIGUOUS:
                what += ", of which the training knew nothing: see that it is meant so"
            log.log(logging.WARNING if new else logging.INFO, "%s: %s: %s", path.name, first_of(of), what)


def _blank_rows(batch: pa.RecordBatch) -> np.ndarray:
    blank = np.ones(len(batch), bool)
    for column in batch.columns:
        if not blank.any():
            break
        blank &= pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
    return blank
