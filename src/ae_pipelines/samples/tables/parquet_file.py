"""A parquet file of any writer, as a file of a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.samples.parquet import is_text, open_parquet, readable
from ae_pipelines.samples.parquet_pages import rows_at_once
from ae_pipelines.samples.tables.cells import CellType, Missing, texts
from ae_pipelines.samples.tables.column_roles import FactsBuilder, NumberFacts
from ae_pipelines.samples.tables.reader import BLOCK_ROWS, Kind

BLOCK_BYTES = 4 * 2**20
"""Most bytes of values in a block."""
PARQUET_BUFFER = 64 * 2**10
"""Bytes buffered for each column; without a buffer, whole row groups are read."""


class ParquetFile:
    """A parquet file; reading it takes about 2 MB of memory per column (pages).

    `partition` holds columns of one value, with their types, that the file's folders say.
    """

    def __init__(
        self,
        path: Path,
        missing: Sequence[str | float] = (),
        stem: str | None = None,
        partition: Mapping[str, tuple[CellType, str | None]] | None = None,
    ) -> None:
        self.path, self.stem = path, path.stem if stem is None else stem
        self._missing = Missing(missing)
        self._given = partition or {}

    @cached_property
    def names(self) -> list[str]:
        return [*self._schema.names, *self._partition]

    @cached_property
    def types(self) -> Mapping[str, CellType]:
        found = {field.name: _type(field.type) for field in self._schema}
        found |= dict.fromkeys(self._empty, "empty")
        return found | {name: type_ for name, (type_, _) in self._partition.items()}

    @property
    def unusable(self) -> Mapping[str, str]:
        return {name: str(self._schema.field(name).type) for name, type_ in self.types.items() if type_ == "unusable"}

    @property
    def formats(self) -> Mapping[str, str]:
        return {}

    @property
    def but_for(self) -> Mapping[str, Mapping[str, int]]:
        return {}

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
    def rows(self) -> int:
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def batches(self, columns: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        held = [name for name in columns if name not in self._partition]
        with self._opened() as file:
            rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * len(columns))))
            rows = rows_at_once(self.path, file, held, rows)
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
    def _partition(self) -> Mapping[str, tuple[CellType, str | None]]:
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


def _type(type_: pa.DataType) -> CellType:
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
