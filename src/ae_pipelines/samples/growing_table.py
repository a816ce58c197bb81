"""Parquet files that grow: the tables of a sample store while it is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base import atomic
from ae_pipelines.samples.index import BATCH_ROWS


@dataclass
class GrowingTable:
    """A parquet file that grows; rows are collected into large row groups."""

    path: Path
    schema: pa.Schema

    def __post_init__(self) -> None:
        self._writer = pq.ParquetWriter(self.path, self.schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[pa.Table] = []

    def add(self, columns: dict[str, Any]) -> None:
        """Append rows."""
        self._waiting.append(pa.table(columns, schema=self.schema))
        if sum(map(len, self._waiting)) >= BATCH_ROWS:
            self._write()

    def close(self) -> None:
        """Finish the file; more than once does no harm."""
        self._write()
        self._writer.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, once the file is finished."""
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            yield from file.iter_batches(BATCH_ROWS, use_threads=False)

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting = []


@contextmanager
def growing_table(path: Path, schema: pa.Schema) -> Iterator[GrowingTable]:
    """A table that is to be published as `path`; it is closed, and its file removed, when the block ends."""
    with atomic.temporary_beside(path) as temporary:
        table = GrowingTable(temporary, schema)
        try:
            yield table
        finally:
            table.close()
