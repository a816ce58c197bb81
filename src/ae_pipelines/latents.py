"""The half-product: one parquet file with a latent vector for every sample.

Columns: `sample_id`, `split`, `label` (nullable), `latent: FixedSizeList<float32>[d]`,
`reconstruction_error` and, for images, `blurred_error`. The schema's metadata say which encoder made it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines import atomic
from ae_pipelines.errors import InputError

ROWS_PER_GROUP = 16_384
"""Small enough that writing overlaps with encoding, for small files too."""
COLUMNS = ("sample_id", "split", "label")
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

    def cut(self, rows: slice) -> "LatentBlock":
        """Some of the rows."""
        columns = (self.vectors, self.reconstruction_error, self.blurred_error)
        return LatentBlock(*(None if column is None else column[rows] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LatentStream:
    """Latents on their way to a file: a row for each row of `index`, in its order."""

    index: pd.DataFrame
    """At least `COLUMNS`."""
    blocks: Iterator[LatentBlock]
    metadata: dict[str, str]
    """Which encoder: its sha256, the run, the preprocessing's hash, the sample store."""


@dataclass(frozen=True)
class Latents:
    """A latents file, read."""

    table: pd.DataFrame
    """sample_id, split, label (None where unknown), reconstruction_error and, for images, blurred_error."""
    vectors: np.ndarray
    """(n, d), float32."""
    metadata: dict[str, str]

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def labelled(self) -> np.ndarray:
        """A bool a row."""
        return self.table["label"].notna().to_numpy()

    def rows(self, split: str) -> np.ndarray:
        """A bool a row."""
        return (self.table["split"] == split).to_numpy()

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of each row as text; empty where unknown."""
        return self.table["label"].fillna("").to_numpy(dtype=str)


def write(path: Path, stream: LatentStream) -> None:
    """Write the stream to one parquet file, atomically and without holding it in memory."""
    ids = pa.Table.from_pandas(stream.index[list(COLUMNS)], preserve_index=False).select(COLUMNS)
    ids = ids.cast(pa.schema([(name, pa.string()) for name in COLUMNS]))
    with atomic.replacing(path) as temporary, ThreadPoolExecutor(1) as beside:
        start, writer, writing = 0, None, None
        try:
            for batch in _regrouped(stream.blocks):
                if not np.isfinite(batch.vectors).all():
                    raise InputError("the encoder gave NaN or Inf: train again, with a lower learning rate")
                rows = pa.table(_columns(ids.slice(start, len(batch.vectors)), batch))
                start += len(batch.vectors)
                if writer is None:
                    schema = rows.schema.with_metadata({f"ae_pipelines.{k}": v for k, v in stream.metadata.items()})
                    writer = _writer(temporary, schema)
                if writing is not None:
                    writing.result()
                writing = beside.submit(writer.write_table, rows)  # while the next rows are made
            if writing is not None:
                writing.result()
        finally:
            if writer is not None:
                beside.submit(writer.close).result()
        if start != len(stream.index):
            raise InputError(f"{start} latents for {len(stream.index)} samples: ingest and embed again")


def read(path: Path) -> Latents:
    """The whole file; `InputError` if it is missing, damaged or not a latents file."""
    if not path.exists():
        raise InputError(f"no latents in {path}: run `kedro run --pipelines=ingest,fit,embed` first")
    try:
        table = pq.read_table(path, page_checksum_verification=True, memory_map=False)
        column = table.column("latent").combine_chunks()
        size = column.type.list_size
    except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged or not a latents file ({error}): run embed again") from error
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), size)
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).any(axis=1).sum())
        raise InputError(f"{bad} of {len(vectors)} latents in {path} have NaN or Inf: run embed again")
    metadata = {
        key.decode().removeprefix("ae_pipelines."): value.decode()
        for key, value in (table.schema.metadata or {}).items()
        if key.startswith(b"ae_pipelines.")
    }
    return Latents(table.drop_columns(["latent"]).to_pandas(), vectors, metadata)


def _regrouped(blocks: Iterator[LatentBlock]) -> Iterator[LatentBlock]:
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
    vectors = np.ascontiguousarray(batch.vectors, dtype=np.float32)
    columns = {name: ids.column(name) for name in COLUMNS}
    columns["latent"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    for name in ERRORS:
        if (values := getattr(batch, name)) is not None:
            columns[name] = pa.array(values.astype(np.float32))
    return columns


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    floats = ("latent.list.element", *ERRORS)
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=["split", "label"],
        write_statistics=[*COLUMNS, *ERRORS],
        use_byte_stream_split=[name for name in floats if name.split(".")[0] in schema.names],
        write_page_checksum=True,
    )
