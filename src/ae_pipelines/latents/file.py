"""The half-product: one parquet file with a latent vector for every sample.

Columns: `sample_id`, `split`, `label` (nullable), `seen` (whether the encoder learned from it),
`latent: FixedSizeList<float32>[d]`, `reconstruction_error` and, for images, `blurred_error`. The schema's metadata say
which encoder made it.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError

ROWS_PER_GROUP = 8_192
"""Rows per row group; so few that writing overlaps with encoding, even in small files."""
SCHEMA = pa.schema([("sample_id", pa.string()), ("split", pa.string()), ("label", pa.string()), ("seen", pa.bool_())])
COLUMNS = tuple(SCHEMA.names)
ERRORS = ("reconstruction_error", "blurred_error")


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

    def latents(self, ids: pd.Series, encoder: str) -> "Latents":
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

    def into(self, path: Path) -> None:
        """Write the file."""
        write_latents(path, self)


class Latents(ABC):
    """Latent vectors and what is known about their samples, wherever they are kept."""

    metadata: dict[str, str]
    """Which encoder made them, and from which samples."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of latents."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Length of a vector: d."""

    @property
    @abstractmethod
    def vectors(self) -> np.ndarray:
        """(n, d), float32."""

    @property
    @abstractmethod
    def table(self) -> pd.DataFrame:
        """sample_id, split, label (None where unknown), seen, reconstruction_error and, for images, blurred_error."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of the columns."""

    @abstractmethod
    def column(self, name: str) -> pd.Series:
        """One column of the table."""

    def mean(self, name: str, split: str) -> float:
        """Mean of a column over the rows of a split."""
        return float(self.column(name)[self.in_split(split)].mean())

    def errors(self, split: str) -> dict[str, float]:
        """The mean of each error column over the rows of a split; none where the model has no decoder."""
        return {name: self.mean(name, split) for name in ERRORS if name in self.names}

    @cached_property
    def labelled(self) -> np.ndarray:
        """A bool per row: whether it has a label."""
        return self.column("label").notna().to_numpy()

    def in_split(self, split: str) -> np.ndarray:
        """A bool per row: whether it is in this split."""
        return (self.column("split") == split).to_numpy()

    @cached_property
    def seen(self) -> np.ndarray:
        """A bool per row: whether the encoder learned from it."""
        return self.column("seen").to_numpy(dtype=bool)

    @property
    def encoder(self) -> str:
        """sha256 of the encoder that made these."""
        return self.metadata["encoder_sha256"]

    @property
    def normal_labels(self) -> list[str]:
        """The labels of the samples that the encoder learned from; none: it learned from all."""
        return list(json.loads(self.metadata.get("normal_labels", "[]")))

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of each row as text; empty where unknown."""
        return self.column("label").fillna("").to_numpy(dtype=str)


class LatentsInMemory(Latents):
    """Latents held in memory."""

    def __init__(self, table: pd.DataFrame, vectors: np.ndarray, metadata: dict[str, str]) -> None:
        self._table, self._vectors, self.metadata = table, vectors, metadata

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def size(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def vectors(self) -> np.ndarray:
        return self._vectors

    @property
    def table(self) -> pd.DataFrame:
        return self._table

    @property
    def names(self) -> list[str]:
        return list(self._table.columns)

    def column(self, name: str) -> pd.Series:
        return self._table[name]


class LatentsFile(Latents):
    """A latents file; each part is read when it is asked for.

    Raises `InputError` if the file is missing, damaged or not a latents file.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise InputError(
                f"no latents in {path}: run ingest, fit and embed first", stages=("ingest", "fit", "embed")
            )
        self._path = path
        with self._or_damaged():
            file = pq.read_metadata(path)
            schema = file.schema.to_arrow_schema()
            self._size, self._count = schema.field("latent").type.list_size, file.num_rows
            self._names: list[str] = schema.names
        self.metadata = {
            key.decode().removeprefix("ae_pipelines."): value.decode()
            for key, value in (schema.metadata or {}).items()
            if key.startswith(b"ae_pipelines.")
        }

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        return self._size

    @property
    def names(self) -> list[str]:
        return self._names

    def column(self, name: str) -> pd.Series:
        return self._read([name]).column(0).to_pandas()

    def mean(self, name: str, split: str) -> float:
        total, count = 0.0, 0
        with self._or_damaged(), pq.ParquetFile(self._path, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=[name, "split"], use_threads=False):
                chosen = batch.column(name).filter(pc.equal(batch.column("split"), split))
                total += pc.sum(chosen.cast(pa.float64())).as_py() or 0.0
                count += len(chosen)
        return total / count if count else math.nan

    @cached_property
    def table(self) -> pd.DataFrame:
        return self._read([name for name in (*COLUMNS, *ERRORS) if name in self._names]).to_pandas()

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n, d), float32; `InputError` if some are not finite."""
        with self._or_damaged():
            vectors = vectors_of(self._read(["latent"]).column(0))
        if not np.isfinite(vectors).all():
            bad = int((~np.isfinite(vectors)).any(axis=1).sum())
            raise InputError(f"{bad} of {len(vectors)} latents in {self._path} have NaN or Inf: run embed again")
        return vectors

    def _read(self, names: list[str]) -> pa.Table:
        with self._or_damaged():
            return pq.read_table(self._path, columns=names, page_checksum_verification=True, memory_map=False)

    @contextmanager
    def _or_damaged(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, KeyError, AttributeError, ValueError) as error:
            raise InputError(f"{self._path} is damaged or not a latents file ({error}): run embed again") from error


def read_latents(path: Path) -> Latents:
    """The whole file; `InputError` if it is missing, damaged or not a latents file."""
    file = LatentsFile(path)
    return LatentsInMemory(file.table, file.vectors, file.metadata)


def write_latents(path: Path, stream: LatentStream) -> None:
    """Write the stream to one parquet file, atomically and without holding it in memory."""
    ids = _Ids(stream.ids)
    with atomic.replacing(path) as temporary, ThreadPoolExecutor(1) as beside:
        writer, writing = None, None
        try:
            for batch in regrouped(stream.blocks):
                if not np.isfinite(batch.vectors).all():
                    raise InputError("the encoder gave NaN or Inf: train again, with a lower learning rate")
                rows = pa.table(_columns(ids.take(len(batch.vectors)), batch))
                if writer is None:
                    schema = rows.schema.with_metadata({f"ae_pipelines.{k}": v for k, v in stream.metadata.items()})
                    options = parquet_options(schema, categories=["split", "label"])
                    writer = pq.ParquetWriter(temporary, schema, write_statistics=[*COLUMNS, *ERRORS], **options)
                if writing is not None:
                    writing.result()
                writing = beside.submit(writer.write_table, rows)  # while the next rows are prepared
            if writing is not None:
                writing.result()
        finally:
            if writer is not None:
                beside.submit(writer.close).result()
        ids.refuse_leftovers()


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


# -- as parquet ------------------------------------------------------------------------------------------


def column_of(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Vectors (n, d) as one column of float32."""
    values = np.ascontiguousarray(vectors, np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """The vectors that `column_of` was given: (n, d), float32."""
    vectors = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(len(column), column.type.list_size)


def parquet_options(schema: pa.Schema, categories: list[str]) -> dict[str, Any]:
    """Options for writing a file with the column `latent`; `categories` are text columns with few different values."""
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    return {
        "compression": "zstd",
        "use_dictionary": categories,
        "use_byte_stream_split": ["latent.list.element", *floats],
        "write_page_checksum": True,
    }
