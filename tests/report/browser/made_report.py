"""A report on digits, and what it was made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from made_results import results_of

from ae_pipelines.latents.file import Latents, read_latents
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page import page
from ae_pipelines.report.results import Results
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.source import Block, Source
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe


class PartlyLabelledDigits(Digits):
    """Digits of which every fourth has no label."""

    def blocks(self) -> Iterator[Block]:
        for block in super().blocks():
            labels = [None if row % 4 == 3 else label for row, label in enumerate(block.labels or [])]
            yield dataclasses.replace(block, labels=labels)


@dataclass(frozen=True)
class MadeReport:
    """What lies in the folder of a report that was made for tests."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "report.html"

    @cached_property
    def samples(self) -> Samples:
        return Samples(self.folder / "samples")

    @cached_property
    def latents(self) -> Latents:
        return read_latents(self.folder / "latents.parquet")

    @cached_property
    def labels(self) -> np.ndarray:
        """Of each sample, as text, empty where there is none."""
        return self.latents.labels[:]

    @cached_property
    def map(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "map.parquet")

    @cached_property
    def clusters(self) -> np.ndarray:
        return pd.read_parquet(self.folder / "clusters.parquet")["cluster"].to_numpy()

    @cached_property
    def predicted(self) -> np.ndarray:
        return pd.read_parquet(self.folder / "predictions.parquet")["predicted"].to_numpy(object)

    @property
    def rows(self) -> np.ndarray:
        return np.arange(len(self.latents))

    @cached_property
    def ids(self) -> list[str]:
        return list(self.latents.column("sample_id"))


def make(folder: Path, source: Source, recipe: Recipe) -> None:
    """A run's results on a source, and the report on them."""
    write(
        folder,
        results_of(write_store(folder / "samples", source, IngestOptions(max_rejected_share=1.0)), recipe, folder),
    )


def write(folder: Path, results: Results) -> None:
    results.map.to_parquet(folder / "map.parquet")
    (folder / "report.html").write_text(page(results, ReportOptions()), encoding="utf-8")
