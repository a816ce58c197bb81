"""New rows of a store through the models, into one file of scores."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base import progress, seals
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.latents.parquet import column_of, parquet_options
from ae_pipelines.latents.stream import LatentBlock, regrouped
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.scores import ABOUT, ScoredBatch, Scores, run_id
from ae_pipelines.scoring.version import RegisteredModel
from ae_pipelines.training import embedding
from ae_pipelines.training.devices import in_parallel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewRows:
    """The samples that a version has yet to score."""

    model: RegisteredModel
    samples: Samples
    scored: Scores
    run: Run = NO_RUN

    @cached_property
    def rows(self) -> np.ndarray:
        """Their positions."""
        return self.scored.unscored(self.samples, self.model.version)

    def into(self, folder: Path) -> None:
        """Score them into one more file of a folder of scores, atomically and without holding it in memory; nothing if
        no row is new."""
        scores, version = Scores(folder), self.model.version
        if not len(self.rows):
            if not scores.current(version, self.run):  # otherwise an earlier try has scored them
                self.run.skip(f"none of the {len(self.samples)} samples is new to {version}")
            return
        self.model.models.open()  # before the clock starts
        started = time.monotonic()
        path = scores.place(list(self._index["sha256"]), version)
        ScoredBatch(path).forget_judged()  # of a file that was removed
        with seals.replacing(path) as temporary:
            tables = self._tables()
            first = next(tables)
            categories = [name for name in ("label", "predicted") if name in first.schema.names]
            options = parquet_options(first.schema, categories)
            with pq.ParquetWriter(temporary, first.schema, **options) as writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)
                seconds = time.monotonic() - started
                writer.add_key_value_metadata({ABOUT: json.dumps(self._about(seconds))})
        log.info("scored %d new rows: %.1f s, %.0f rows/s", len(self.rows), seconds, len(self.rows) / seconds)

    def _about(self, seconds: float) -> dict[str, object]:
        version = self.model.version
        return {
            "model": version.name,
            "version": version.number,
            "content": version.content,
            "encoder_sha256": self.model.models.autoencoder.contract.sha256,
            "samples_id": self.samples.id,
            "run_id": run_id(self.run),
            "seconds": round(seconds, 3),
        }

    @cached_property
    def _index(self) -> pd.DataFrame:
        return self.samples.index[["sample_id", "label", "sha256"]].iloc[self.rows].reset_index(drop=True)

    def _tables(self) -> Iterator[pa.Table]:
        start = 0
        for block in regrouped(self._blocks()):
            part = self._index.iloc[start : (start := start + len(block.vectors))].reset_index(drop=True)
            yield self._table(block, part)

    def _blocks(self) -> Iterator[LatentBlock]:
        autoencoder = self.model.models.autoencoder.where_trained()
        embed, size = partial(embedding.latent_block, autoencoder), embedding.rows_per_pass(autoencoder)
        parts = (self.samples.take(self.rows[start : start + size]) for start in range(0, len(self.rows), size))
        with progress.bar(total=len(self.rows), label="score", unit="sample") as bar:
            for block in in_parallel(embed, parts, autoencoder.device):
                yield block
                bar.update(len(block.vectors))

    def _table(self, block: LatentBlock, index: pd.DataFrame) -> pa.Table:
        scored = self.model.models.scored(block, index["sample_id"])
        columns = {
            "sample_id": pa.array(index["sample_id"], pa.string()),
            "sha256": pa.array(index["sha256"], pa.string()),
            "label": pa.array(index["label"], pa.string()),
            "latent": column_of(block.vectors),
            **{name: pa.array(scored[name]) for name in scored.columns.drop("sample_id")},
            "model_version": pa.array(np.full(len(index), self.model.version.number, np.int32)),
        }
        return pa.table(columns)
