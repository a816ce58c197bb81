"""Tables in files, a few rows at a time: numbers as float64, everything else as text."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

BLOCK_BYTES = 4 * 2**20
"""Most bytes of values in a block."""
CSV_BYTES = 2**20
"""Bytes of a CSV file read at a time (Arrow holds some 40 times as much); a row must fit."""
BLOCK_ROWS = 16_384
PARQUET_BUFFER = 64 * 2**10
"""Bytes buffered for each column; without a buffer, whole row groups are read."""
MISSING = pa.array([text for text in pa.csv.ConvertOptions().null_values if text.strip("-").lower() != "nan"])
"""Texts that mean missing. Text that is a NaN is a value, as it is in parquet."""
TRUE, FALSE = pa.array(["true", "True", "TRUE"]), pa.array(["false", "False", "FALSE"])


class Reader(Protocol):
    """One file of a table."""

    path: Path

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        ...

    @property
    def numeric(self) -> set[str]:
        """Names of the columns of numbers or booleans, whose values may be missing in some rows."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    def batches(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These columns as float64 and as text, a few MB at a time."""
        ...


class CsvFile:
    """A CSV file with a header line; every column is read as text, so that no type is guessed from the first rows."""

    _reading = pa.csv.ReadOptions(block_size=CSV_BYTES)
    _parsing = pa.csv.ParseOptions(newlines_in_values=True)

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def names(self) -> list[str]:
        with pa.csv.open_csv(self.path, self._reading, self._parsing) as reader:
            return list(reader.schema.names)

    @property
    def numeric(self) -> set[str]:
        return self._scan[0]

    @property
    def rows(self) -> int:
        return self._scan[1]

    def batches(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
        names = [*numbers, *texts]
        converting = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=names)
        with pa.csv.open_csv(self.path, self._reading, self._parsing, converting) as reader:
            for batch in reader:
                columns = [*map(_parsed, batch.columns[: len(numbers)]), *batch.columns[len(numbers) :]]
                found = pa.record_batch(columns, names=names)
                yield from (found.slice(start, BLOCK_ROWS) for start in range(0, len(found), BLOCK_ROWS))

    @cached_property
    def _scan(self) -> tuple[set[str], int]:
        """The numeric columns and the number of rows, by one pass through the whole file."""
        numeric, filled, rows = set(self.names), set[str](), 0
        for batch in self.batches([], self.names):
            rows += len(batch)
            for name in sorted(numeric):
                try:
                    found = _parsed(batch.column(name))
                except pa.ArrowInvalid:
                    numeric.remove(name)
                else:
                    filled |= {name} if found.null_count < len(found) else set()
        return numeric & filled, rows


class ParquetFile:
    """A parquet file; reading it takes about 2 MB of memory per column (pages)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def names(self) -> list[str]:
        return list(self._schema.names)

    @property
    def numeric(self) -> set[str]:
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        return {field.name for field in self._schema if any(kind(field.type) for kind in kinds)}

    @cached_property
    def rows(self) -> int:
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def batches(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
        names = [*numbers, *texts]
        with self._opened() as file:
            for batch in file.iter_batches(max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * len(names)))), columns=names):
                columns = [batch.column(name).cast(pa.float64(), safe=False) for name in numbers]
                columns += [batch.column(name).cast(pa.string()) for name in texts]
                yield pa.record_batch(columns, names=names)

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._opened() as file:
            return file.schema_arrow

    def _opened(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, buffer_size=PARQUET_BUFFER, pre_buffer=False, page_checksum_verification=True)


READERS: dict[str, type[CsvFile] | type[ParquetFile]] = {".csv": CsvFile, ".parquet": ParquetFile}


def _parsed(column: pa.Array) -> pa.Array:
    """Text as float64; `pa.ArrowInvalid` if any is neither a number, nor a boolean, nor missing."""
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.is_in(text, MISSING), pa.scalar(None, pa.string()), text)
        text = pc.if_else(pc.is_in(text, TRUE), "1", pc.if_else(pc.is_in(text, FALSE), "0", text))
        return text.cast(pa.float64())
