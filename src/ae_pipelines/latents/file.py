"""The half-product: one parquet file with a latent vector for every sample.

Columns: `sample_id`, `split`, `label` (nullable), `seen` (whether the encoder learned from it),
`latent: FixedSizeList<float32>[d]`, `reconstruction_error` and, for images, `blurred_error`. The schema's metadata say
which encoder made it.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.parquet import COLUMNS, ERRORS, ROWS_PER_GROUP, vectors_of


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
