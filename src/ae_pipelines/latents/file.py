"""The half-product: parquet with a latent vector for every sample, in one file or, for many, in a folder of part files.

Columns: `sample_id`, `split`, `label` (nullable), `seen` (whether the encoder learned from it),
`latent: FixedSizeList<float32>[d]`, `reconstruction_error` and, for images, `blurred_error`. The schema's metadata say
which encoder made it.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.part_files import ROWS_AT_ONCE, PartFiles, positions
from ae_pipelines.latents.labels import Labels
from ae_pipelines.latents.parquet import COLUMNS, ERRORS, vectors_of

KEPT_BYTES = 2**28
"""Vectors of up to so many bytes are kept once they were read; of more, only what is asked for is read, each time."""


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
        """(n, d), float32; all of them, so for latents that fit into memory."""

    @abstractmethod
    def at(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows, (len(rows), d), float32; `rows` are positions, or a bool per row."""

    @abstractmethod
    def pieces(self) -> "Iterator[LatentsInMemory]":
        """All rows, at most `ROWS_AT_ONCE` consecutive ones at a time."""

    @property
    @abstractmethod
    def labels(self) -> Labels:
        """The label of each row."""

    @property
    @abstractmethod
    def splits(self) -> Labels:
        """The split of each row."""

    @abstractmethod
    def ids(self) -> Iterator[pa.ChunkedArray]:
        """The `sample_id` of all rows, consecutive ones at a time."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> pd.DataFrame:
        """What the table says of the rows at these positions, in this order."""

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

    def blocks(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions and their vectors, at most `ROWS_AT_ONCE` of these `rows` (positions) at a time."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            yield part, self.at(part)

    def positions(self, ids: Sequence[str] | pd.Series) -> np.ndarray:
        """The position of each of some samples, by its id, (len(ids),), int64; -1 where there is none."""
        return positions(self.ids(), ids)

    @abstractmethod
    def ids_at(self, rows: np.ndarray) -> np.ndarray:
        """The `sample_id` of the rows at these positions, (len(rows),), in this order."""

    def mean(self, name: str, split: str) -> float:
        """Mean of a column over the rows of a split."""
        return float(self.column(name)[self.in_split(split)].mean())

    def errors(self, split: str) -> dict[str, float]:
        """The mean of each error column over the rows of a split; none where the model has no decoder."""
        return {name: self.mean(name, split) for name in ERRORS if name in self.names}

    def vectors_in_pieces(self) -> Iterator[np.ndarray]:
        """All vectors, (rows, d), float32, at most `ROWS_AT_ONCE` consecutive ones at a time, and nothing else."""
        return (piece.vectors for piece in self.pieces())

    @cached_property
    def labelled(self) -> np.ndarray:
        """A bool per row: whether it has a label."""
        return self.labels.known

    def in_split(self, split: str) -> np.ndarray:
        """A bool per row: whether it is in this split."""
        return self.splits.isin([split])

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

    def at(self, rows: np.ndarray) -> np.ndarray:
        return self._vectors[rows]

    def pieces(self) -> "Iterator[LatentsInMemory]":
        for start in range(0, len(self), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            yield LatentsInMemory(self._table.iloc[part], self._vectors[part], self.metadata)

    def ids_at(self, rows: np.ndarray) -> np.ndarray:
        return self.column("sample_id").to_numpy(object)[rows]

    @cached_property
    def labels(self) -> Labels:
        return Labels.of(self.column("label"))

    @cached_property
    def splits(self) -> Labels:
        return Labels.of(self.column("split"))

    def ids(self) -> Iterator[pa.ChunkedArray]:
        yield pa.chunked_array([pa.array(self.column("sample_id"), pa.string())])

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        return self._table.take(rows).set_axis(rows)


class LatentsFile(Latents):
    """Latents in parquet; each part is read when it is asked for.

    Raises `InputError` if the file is missing, damaged or not a latents file.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise InputError(
                f"no latents in {path}: run ingest, fit and embed first", stages=("ingest", "fit", "embed")
            )
        self._files = PartFiles(path, "a latents file", "run embed again")
        with self._files.or_damaged():
            self._size = int(self._files.schema.field("latent").type.list_size)
        self._names: list[str] = self._files.schema.names
        self.metadata = {
            key.removeprefix("ae_pipelines."): value
            for key, value in self._files.metadata.items()
            if key.startswith("ae_pipelines.")
        }

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> int:
        return self._size

    @property
    def names(self) -> list[str]:
        return self._names

    def column(self, name: str) -> pd.Series:
        return self._files.read([name]).column(0).to_pandas()

    def mean(self, name: str, split: str) -> float:
        total, count = 0.0, 0
        for piece in self._files.pieces([name, "split"]):
            chosen = piece.column(name).filter(pc.equal(piece.column("split"), split))
            total += pc.sum(chosen.cast(pa.float64())).as_py() or 0.0
            count += len(chosen)
        return total / count if count else math.nan

    @cached_property
    def table(self) -> pd.DataFrame:
        return self._files.read(self._about).to_pandas()

    def ids(self) -> Iterator[pa.ChunkedArray]:
        return (piece.column(0) for piece in self._files.pieces(["sample_id"]))

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        return self._files.take(self._about, rows).to_pandas().set_axis(rows)

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n, d), float32; `InputError` if some are not finite."""
        return self._finite(self._files.read(["latent"]).column(0))

    def at(self, rows: np.ndarray) -> np.ndarray:
        if 4 * self._size * len(self) <= KEPT_BYTES:
            return self.vectors[rows]
        wanted = np.flatnonzero(rows) if rows.dtype == bool else rows
        return self._finite(self._files.take(["latent"], wanted).column(0))

    def pieces(self) -> Iterator[LatentsInMemory]:
        for piece in self._files.pieces([*self._about, "latent"]):
            vectors = self._finite(piece.column("latent"))
            yield LatentsInMemory(piece.select(self._about).to_pandas(), vectors, self.metadata)

    def vectors_in_pieces(self) -> Iterator[np.ndarray]:
        if 4 * self._size * len(self) <= KEPT_BYTES:
            for start in range(0, len(self), ROWS_AT_ONCE):
                yield self.vectors[start : start + ROWS_AT_ONCE]
            return
        for piece in self._files.pieces(["latent"]):
            yield self._finite(piece.column(0))

    def ids_at(self, rows: np.ndarray) -> np.ndarray:
        return self._files.take(["sample_id"], rows).column(0).to_numpy(zero_copy_only=False)

    @cached_property
    def labels(self) -> Labels:
        return Labels(*self._files.numbered("label"))

    @cached_property
    def seen(self) -> np.ndarray:
        column = self._files.read(["seen"]).column(0)
        return np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks] or [np.empty(0, bool)])

    @cached_property
    def splits(self) -> Labels:
        return Labels(*self._files.numbered("split"))

    @property
    def _about(self) -> list[str]:
        """The columns besides vectors."""
        return [name for name in (*COLUMNS, *ERRORS) if name in self._names]

    def _finite(self, column: pa.ChunkedArray) -> np.ndarray:
        with self._files.or_damaged():
            vectors = vectors_of(column)
        if not np.isfinite(vectors).all():
            bad = int((~np.isfinite(vectors)).any(axis=1).sum())
            raise InputError(f"{bad} of {len(vectors)} latents in {self._files.path} have NaN or Inf: run embed again")
        return vectors


def read_latents(path: Path) -> Latents:
    """The whole file; `InputError` if it is missing, damaged or not a latents file."""
    file = LatentsFile(path)
    return LatentsInMemory(file.table, file.vectors, file.metadata)
