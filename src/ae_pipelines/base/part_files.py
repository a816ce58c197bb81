"""Parquet with any number of rows: one file or, above so many rows, a folder of part files; written and read in pieces.

A folder has its parts, `part-00000.parquet` and so on, and a manifest that says how many rows each has. pandas,
pyarrow, DuckDB and polars read such a folder as one table.
"""

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError

ROWS_PER_FILE = 10_000_000
ROWS_AT_ONCE = 65_536
"""Rows that are read together."""
MANIFEST = "_manifest.json"
"""Readers of parquet folders pass over names that begin with an underscore."""

Options = Callable[[pa.Schema], dict[str, Any]]
"""How a file with these columns is written: options of `pyarrow.parquet.ParquetWriter`."""


@dataclass(frozen=True)
class _Span:
    """Row groups of one file that are read together."""

    file: Path
    about: pq.FileMetaData
    """Of the file, which takes long to read in a file of many row groups."""
    groups: range
    start: int
    """Number of the first row, over all files."""
    rows: int


class PartFiles:
    """Parquet at a path, a file or a folder of part files, read piece by piece.

    Raises `InputError`, which says what is to be done `again`, if something is damaged or missing.
    """

    def __init__(self, path: Path, kind: str, again: str) -> None:
        self.path, self._kind, self._again = path, kind, again
        seals.check(path, again)
        with self.or_damaged():
            self._files = _listed(path) if path.is_dir() else [path]
            self._about = [pq.read_metadata(file) for file in self._files]
            self.schema: pa.Schema = self._about[0].schema.to_arrow_schema()
            if path.is_dir():
                _refuse_other_rows(path, self._about)

    def __len__(self) -> int:
        return sum(about.num_rows for about in self._about)

    @property
    def metadata(self) -> dict[str, str]:
        """What the schema says besides columns."""
        return {key.decode(): value.decode() for key, value in (self.schema.metadata or {}).items()}

    def read(self, names: Sequence[str]) -> pa.Table:
        """Some columns, whole."""
        return pa.concat_tables([self.schema.empty_table().select(names), *self.pieces(names)]).unify_dictionaries()

    def pieces(self, names: Sequence[str], categories: Sequence[str] = ()) -> Iterator[pa.Table]:
        """Some columns, in consecutive pieces of at most `ROWS_AT_ONCE` rows; `categories` come as numbers and names
        (dictionaries), which differ from piece to piece."""
        for span in self._spans:
            yield from self._cut(self._read(span, names, categories))

    def take(self, names: Sequence[str], rows: np.ndarray) -> pa.Table:
        """Some columns of the rows at these positions, in this order; only row groups that hold some are read."""
        ascending, places = np.unique(rows, return_inverse=True)
        found = [self.schema.empty_table().select(names)]
        for span in self._spans:
            first, end = np.searchsorted(ascending, (span.start, span.start + span.rows))
            if first < end:
                found.append(self._read(span, names, ()).take(ascending[first:end] - span.start))
        whole = pa.concat_tables(found)
        return whole if np.array_equal(ascending, rows) else whole.take(places)

    def numbered(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A column of texts of which few differ: for each row, int32, the number of its text, -1 where there is none or
        it is empty; and the texts, sorted."""
        numbers, codes = dict[str, int](), [np.empty(0, np.int32)]
        for piece in self.pieces([name], categories=[name]):
            for chunk in piece.column(0).chunks:
                here = [numbers.setdefault(text, len(numbers)) for text in chunk.dictionary.to_pylist()]
                codes.append(np.array([*here, -1], np.int32)[chunk.indices.fill_null(len(here)).to_numpy()])
        names = sorted(filter(None, numbers))
        places = {text: place for place, text in enumerate(names)}
        order = np.array([*(places.get(text, -1) for text in numbers), -1], np.int32)
        return order[np.concatenate(codes)], np.asarray(names, dtype=str)

    @contextmanager
    def or_damaged(self) -> Iterator[None]:
        """What goes wrong with the files inside is an `InputError`."""
        try:
            yield
        except (pa.ArrowException, OSError, KeyError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{self.path} is damaged or not {self._kind} ({error}): {self._again}") from error

    @cached_property
    def _spans(self) -> list[_Span]:
        """All row groups, as many at a time as hold `ROWS_AT_ONCE` rows."""
        spans, start = [], 0
        for file, about in zip(self._files, self._about, strict=True):
            first = rows = 0
            for group in range(about.num_row_groups):
                rows += about.row_group(group).num_rows
                last = group + 1 == about.num_row_groups
                if last or rows + about.row_group(group + 1).num_rows > ROWS_AT_ONCE:
                    spans.append(_Span(file, about, range(first, group + 1), start, rows))
                    first, start, rows = group + 1, start + rows, 0
        return spans

    def _read(self, span: _Span, names: Sequence[str], categories: Sequence[str]) -> pa.Table:
        options: dict[str, Any] = {"metadata": span.about, "read_dictionary": list(categories)}
        options |= {"page_checksum_verification": True, "pre_buffer": False, "memory_map": False}
        with self.or_damaged(), pq.ParquetFile(span.file, **options) as file:
            found = file.read_row_groups(list(span.groups), columns=list(names))
            if {*names} - {*found.column_names}:
                raise KeyError(f"no column {', '.join(sorted({*names} - {*found.column_names}))}")
            return found.select(list(names))

    def _cut(self, table: pa.Table) -> Iterator[pa.Table]:
        for start in range(0, len(table), ROWS_AT_ONCE):
            yield table.slice(start, ROWS_AT_ONCE)


def positions(columns: Iterable[pa.Array | pa.ChunkedArray], wanted: Iterable[str]) -> np.ndarray:
    """Where each of some texts is in a column that comes in consecutive pieces, (wanted,), int64; -1: it is not."""
    given = pa.array(list(wanted), pa.string()).dictionary_encode()
    found, start = np.full(len(given.dictionary), -1), 0
    for column in columns:
        places = pc.index_in(column.cast(pa.string()), given.dictionary)
        here = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
        found[places.drop_null().to_numpy()] = start + here
        start += len(column)
    return found[given.indices.to_numpy()]


class PartFilesWriter:
    """Writes tables to a file, or a folder where one file would have more rows than it may; each table becomes a row
    group, written by a thread of its own while the next one is made."""

    def __init__(self, place: Path, options: Options, rows_per_file: int) -> None:
        self._place, self._options, self._most = place, options, rows_per_file
        self._rows: list[int] = []
        self._writer: pq.ParquetWriter | None = None
        self._beside, self._writing = ThreadPoolExecutor(1), Future[None]()
        self._writing.set_result(None)

    def write(self, table: pa.Table) -> None:
        """Write these rows after the earlier ones."""
        while True:
            writer = self._writer
            if writer is None or self._rows[-1] == self._most:
                writer = self._begin(table.schema)
            part = table.slice(0, self._most - self._rows[-1])
            self._wait()
            self._writing = self._beside.submit(writer.write_table, part)
            self._rows[-1] += len(part)
            table = table.slice(len(part))
            if not len(table):
                return

    def close(self) -> None:
        """Wait until all is written, and close the files."""
        try:
            self._end()
        finally:
            self._beside.shutdown()
        if len(self._rows) > 1:
            parts = [{"name": _name(number), "rows": rows} for number, rows in enumerate(self._rows)]
            (self._place / MANIFEST).write_text(json.dumps({"rows": sum(self._rows), "parts": parts}, indent=1))

    def _begin(self, schema: pa.Schema) -> pq.ParquetWriter:
        """Open the next file: the place itself, then parts in a folder in its place."""
        self._end()
        place = self._place
        if len(self._rows) == 1:
            aside = place.rename(place.with_name(f"{place.name}.first"))
            place.mkdir()
            aside.rename(place / _name(0))
        if self._rows:
            place = place / _name(len(self._rows))
        self._rows.append(0)
        self._writer = pq.ParquetWriter(place, schema, **self._options(schema))
        return self._writer

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        try:
            self._wait()
        finally:
            if writer is not None:
                self._beside.submit(writer.close).result()

    def _wait(self) -> None:
        self._writing.result()


@contextmanager
def writing(path: Path, options: Options, rows_per_file: int = ROWS_PER_FILE) -> Iterator[PartFilesWriter]:
    """A writer whose file or folder takes the place of `path` when the block ends without error. IsADirectoryError if a
    folder is there that does not hold part files."""
    if path.is_dir() and not _holds_parts(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with atomic.temporary_beside(path) as temporary:
        writer = PartFilesWriter(temporary, options, rows_per_file)
        try:
            yield writer
        finally:
            writer.close()
        seals.publish(temporary, path, over_folder=_holds_parts(path))


def remove(path: Path) -> None:
    """Remove a file, or a folder of part files, if it is there; IsADirectoryError if it is another folder."""
    if path.is_dir() and not _holds_parts(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    seals.remove(path)


def _holds_parts(path: Path) -> bool:
    return (path / MANIFEST).exists()


def _name(number: int) -> str:
    return f"part-{number:05}.parquet"


def _listed(folder: Path) -> list[Path]:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return [folder / Path(part["name"]).name for part in manifest["parts"]]


def _refuse_other_rows(folder: Path, about: list[pq.FileMetaData]) -> None:
    parts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["parts"]
    for part, found in zip(parts, about, strict=True):
        if found.num_rows != part["rows"]:
            raise ValueError(f"{part['name']} has {found.num_rows} rows, its manifest says {part['rows']}")
