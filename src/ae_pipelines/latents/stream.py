"""Latents on their way to a file: made block by block, written in row groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ae_pipelines.base import part_files
from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import Latents, LatentsInMemory
from ae_pipelines.latents.parquet import COLUMNS, ERRORS, ROWS_PER_GROUP, SCHEMA, column_of, parquet_options


@dataclass(frozen=True)
class LatentBlock:
    """Latents of consecutive samples of a store."""

    vectors: np.ndarray
    """(n, d), float32."""
    reconstruction_error: np.ndarray | None = None
    """(n,), float32: squared error averaged over features, in units of the model's input."""
    blurred_error: np.ndarray | None = None
    """(n,), float32: energy of the 3 × 3-blurred residual over the energy of the sample."""

    @property
    def errors(self) -> dict[str, np.ndarray]:
        """The known errors, by column name."""
        columns = {name: getattr(self, name) for name in ERRORS}
        return {name: values for name, values in columns.items() if values is not None}

    def latents(self, ids: pd.Series, encoder: str) -> Latents:
        """The block as models on latents take it; `ids` are those of the samples, `encoder` is its sha256."""
        table = pd.DataFrame({"sample_id": ids, **self.errors})
        return LatentsInMemory(table, self.vectors, {"encoder_sha256": encoder})

    def cut(self, rows: slice) -> "LatentBlock":
        """A block of some of the rows."""
        columns = (self.vectors, self.reconstruction_error, self.blurred_error)
        return LatentBlock(*(None if column is None else column[rows] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LatentStream:
    """Latents on their way to a file: one row for each row of `ids`, in the same order."""

    ids: Iterator[pa.RecordBatch]
    """The columns `COLUMNS`, in pieces of any size."""
    blocks: Iterator[LatentBlock]
    metadata: dict[str, str]
    """What made them: the encoder's sha256, the run, the hash of the preprocessing, the sample store."""

    rows_per_file: int = part_files.ROWS_PER_FILE
    """More rows than these go into a folder of part files."""

    def into(self, path: Path) -> None:
        """Write the file."""
        write_latents(path, self)


def write_latents(path: Path, stream: LatentStream) -> None:
    """Write the stream to parquet, atomically and without holding it in memory."""
    ids = _Ids(stream.ids)
    about = {f"ae_pipelines.{name}": value for name, value in stream.metadata.items()}
    with part_files.writing(path, _options, stream.rows_per_file) as writer:
        for batch in regrouped(stream.blocks):
            if not np.isfinite(batch.vectors).all():
                raise InputError("the encoder gave NaN or Inf: train again, with a lower learning rate")
            rows = pa.table(_columns(ids.take(len(batch.vectors)), batch))
            writer.write(rows.replace_schema_metadata(about))
        ids.refuse_leftovers()


def _options(schema: pa.Schema) -> dict[str, Any]:
    options = parquet_options(schema, categories=["split", "label"])
    return options | {"write_statistics": [*COLUMNS, *ERRORS]}


class _Ids:
    """The columns besides the vectors, given out a few rows at a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest = SCHEMA.empty_table()

    def take(self, count: int) -> pa.Table:
        pieces = [self._rest]
        while sum(map(len, pieces)) < count:
            batch = next(self._batches, None)
            if batch is None:
                raise InputError(f"{count - sum(map(len, pieces))} more latents than samples: ingest and embed again")
            pieces.append(pa.Table.from_batches([batch]).select(COLUMNS).cast(SCHEMA))
        joined = pa.concat_tables(pieces)
        self._rest = joined.slice(count)
        return joined.slice(0, count).combine_chunks()

    def refuse_leftovers(self) -> None:
        leftovers = len(self._rest) + sum(map(len, self._batches))
        if leftovers:
            raise InputError(f"{leftovers} samples have no latents: ingest and embed again")


def regrouped(blocks: Iterator[LatentBlock]) -> Iterator[LatentBlock]:
    """Blocks joined into whole row groups."""
    pending: list[LatentBlock] = []
    for block in blocks:
        pending.append(block)
        if sum(len(b.vectors) for b in pending) >= ROWS_PER_GROUP:
            joined = _joined(pending)
            yield joined.cut(slice(None, ROWS_PER_GROUP))
            rest = joined.cut(slice(ROWS_PER_GROUP, None))
            pending = [rest] if len(rest.vectors) else []
    if pending:
        yield _joined(pending)


def _joined(blocks: list[LatentBlock]) -> LatentBlock:
    parts = zip(*((block.vectors, block.reconstruction_error, block.blurred_error) for block in blocks), strict=True)
    return LatentBlock(*(None if part[0] is None else np.concatenate(part) for part in parts))  # type: ignore[arg-type]


def _columns(ids: pa.Table, batch: LatentBlock) -> dict[str, pa.Array]:
    columns = {name: ids.column(name) for name in COLUMNS} | {"latent": column_of(batch.vectors)}
    return columns | {name: pa.array(values.astype(np.float32)) for name, values in batch.errors.items()}
