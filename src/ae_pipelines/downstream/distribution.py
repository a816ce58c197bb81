"""Latents, clusters and errors of the rows on each side of a comparison."""

import json
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream.detection import normal_rows
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.parquet import column_of, vectors_of

REFERENCE_ROWS = 10_000
HELD_OUT_ROWS = 1_000
"""The reference is drawn from rows that the encoder has not learned from if there are at least this many."""
ERROR = "reconstruction_error"


@dataclass(frozen=True)
class Distribution:
    """Rows on one side of the comparison."""

    encoded_by: EncodedBy
    vectors: np.ndarray
    """(n, d), float32."""
    clusters: np.ndarray
    """(n,), int32; -1 is noise."""
    errors: np.ndarray | None
    """(n,), float32: reconstruction errors; None where the method has no decoder."""
    seen: float = 0.0
    """Share of the rows that the encoder has learned from."""

    def __post_init__(self) -> None:
        _refuse_unequal(len(self.vectors), len(self.clusters), None if self.errors is None else len(self.errors))

    def __len__(self) -> int:
        return len(self.vectors)

    @classmethod
    def of_batch(cls, latents: Latents, clusters: Table, rows: np.ndarray | None = None) -> Self:
        """All rows, or those at some positions; `clusters` as `clustering.assign` gives them for these latents."""
        _refuse_unequal(len(latents), len(clusters), None)
        rows = np.arange(len(latents)) if rows is None else rows
        errors = _errors(latents)[rows] if ERROR in latents.names else None
        found = clusters["cluster"].to_numpy(np.int32)[rows]
        return cls(EncodedBy.of(latents), latents.at(rows), found, errors)

    @classmethod
    def of_training(cls, latents: Latents, clusters: Table, seed: int = 0) -> Self:
        """The reference: at most `REFERENCE_ROWS` random normal rows that the encoder has not learned from, whose
        errors are like those of new ones; if those are fewer than `HELD_OUT_ROWS`, all normal rows are drawn from."""
        normal = normal_rows(latents)
        held_out = normal & ~latents.seen
        rows = sampled(np.flatnonzero(held_out if held_out.sum() >= HELD_OUT_ROWS else normal), REFERENCE_ROWS, seed)
        seen = float(latents.seen[rows].mean()) if len(rows) else 0.0
        return replace(cls.of_batch(latents, clusters, rows), seen=seen)

    def sample(self, most: int, seed: int) -> Self:
        """This distribution, or at most `most` of its rows at random."""
        return self if len(self) <= most else self._at(sampled(np.arange(len(self)), most, seed))

    def _at(self, rows: np.ndarray) -> Self:
        errors = None if self.errors is None else self.errors[rows]
        return replace(self, vectors=self.vectors[rows], clusters=self.clusters[rows], errors=errors)

    @property
    def description(self) -> str:
        """Which rows of the training data these are, in words."""
        if not self.seen:
            return "rows that the encoder has not learned from"
        return f"rows, {self.seen:.0%} of which the encoder has learned from"

    def table(self) -> pa.Table:
        """`latent`, `cluster` and, where there are errors, `reconstruction_error`, as in the other files; the rest
        is in the schema's metadata."""
        columns = {"latent": column_of(self.vectors), "cluster": pa.array(self.clusters, pa.int32())}
        if self.errors is not None:
            columns[ERROR] = pa.array(self.errors, pa.float32())
        metadata = {"ae_pipelines.encoder_sha256": self.encoded_by.encoder, "ae_pipelines.seen": json.dumps(self.seen)}
        return pa.table(columns).replace_schema_metadata(metadata)

    @classmethod
    def of_table(cls, table: pa.Table) -> Self:
        """The distribution that `table` gave; `InputError` for another table."""
        metadata = table.schema.metadata or {}
        if not {"latent", "cluster"} <= {*table.column_names} or b"ae_pipelines.seen" not in metadata:
            raise InputError(
                f"no reference for drift: a table with the columns {', '.join(table.column_names) or '(none)'} was "
                "given, expected latent and cluster with the encoder they come from: train and register a model again"
            )
        vectors = vectors_of(table.column("latent"))
        return cls(
            EncodedBy(metadata[b"ae_pipelines.encoder_sha256"].decode(), vectors.shape[1]),
            vectors,
            table.column("cluster").to_numpy(),
            table.column(ERROR).to_numpy() if ERROR in table.column_names else None,
            json.loads(metadata[b"ae_pipelines.seen"]),
        )


def _refuse_unequal(latents: int, clusters: int, errors: int | None) -> None:
    if latents != clusters or errors not in (None, latents):
        raise InputError(
            f"{latents} latents, but {clusters} clusters"
            + ("" if errors is None else f" and {errors} errors")
            + ": each row needs one of each, run cluster again on these latents"
        )


def _errors(latents: Latents) -> np.ndarray:
    """Errors (n,), float32; overflow becomes the largest number, which is enough for ranks, and JSON has no Inf."""
    errors = latents.column(ERROR).to_numpy(np.float32, na_value=np.nan)
    largest = float(np.finfo(np.float32).max)
    return np.nan_to_num(errors, nan=largest, posinf=largest)


def sampled(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most `most` of these rows at random, in order."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
