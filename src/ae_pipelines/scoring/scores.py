"""What has been scored: a folder for each version of the models, in it a parquet file for each batch of new rows.

The files also tell what need not be scored again: a row's content is looked up in them.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.part_files import PartFiles
from ae_pipelines.base.run import Run
from ae_pipelines.latents.parquet import vectors_of
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.version import Version

ABOUT = "ae_pipelines.batch"
"""Metadata key under which a file keeps what is known of its batch, as JSON."""
AGAIN = "remove it, and its rows are scored again"
"""What is to be done with a damaged file."""


class Scores:
    """Everything that has been scored, by any version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def batches(self, version: Version) -> "list[ScoredBatch]":
        """The files of a version, by name."""
        return [ScoredBatch(path) for path in sorted((self.folder / version.folder_name).glob("[!.]*.parquet"))]

    def unscored(self, samples: Samples, version: Version) -> np.ndarray:
        """Positions of the samples whose content this version has not scored, each content once."""
        return _in_none(self.batches(version), samples)

    def new(self, samples: Samples, version: Version, run: Run) -> np.ndarray:
        """The same, and those that are scored already and belong to this run (`current`): what it reports as new."""
        known = {batch.path for batch in self.current(version, run)}
        return _in_none([batch for batch in self.batches(version) if batch.path not in known], samples)

    def place(self, contents: Sequence[str], version: Version) -> Path:
        """The file of a batch of these contents; another batch never takes its place."""
        return self.folder / version.folder_name / f"{canonical_sha256(list(contents))[:16]}.parquet"

    def current(self, version: Version, run: Run) -> "list[ScoredBatch]":
        """What this run, or an earlier try of it, has scored, and what earlier runs scored and did not compare
        with the training."""
        return [batch for batch in self.batches(version) if not batch.judged or batch.about["run_id"] == run_id(run)]


@dataclass(frozen=True)
class ScoredBatch:
    """One file of scores; a row for each sample."""

    path: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        """`model`, `version`, `content`, `encoder_sha256`, `samples_id`, `run_id`, `seconds`."""
        seals.check(self.path, AGAIN)
        try:
            return json.loads((pq.read_metadata(self.path).metadata or {})[ABOUT.encode()])
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise self._damaged(error) from error

    def read(self, *columns: str) -> pa.Table:
        """The given columns, or all."""
        seals.check(self.path, AGAIN)
        try:
            return pq.read_table(self.path, columns=list(columns) or None, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def table(self, *columns: str) -> pd.DataFrame:
        """Those of the given columns that there are, or all but the latents."""
        there = pq.read_schema(self.path).names
        return self.read(*(name for name in there if (name in columns if columns else name != "latent"))).to_pandas()

    def latents(self) -> Iterator[np.ndarray]:
        """The latents (n, d) of consecutive rows."""
        files = PartFiles(self.path, "a file of scores", AGAIN)
        return (vectors_of(piece.column(0)) for piece in files.pieces(["latent"]))

    @property
    def judged(self) -> bool:
        """Whether it has been compared with the training."""
        return self._mark.exists()

    def note_judged(self) -> None:
        atomic.write_text(self._mark, "")

    def forget_judged(self) -> None:
        """For when it is to be made anew."""
        self._mark.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        return self.path.with_suffix(".judged")

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"{self.path} is damaged or not a file of scores ({error}): {AGAIN}")


def _in_none(batches: "list[ScoredBatch]", samples: Samples) -> np.ndarray:
    """Positions of the samples whose content is in none of these batches, each content once."""
    contents = [batch.column(0).cast(pa.string()) for batch in samples.index_batches("sha256")]
    if not contents:
        return np.empty(0, np.int64)
    given = pa.chunked_array(contents).combine_chunks()
    known = [chunk for batch in batches for chunk in batch.read("sha256").column(0).chunks]
    scored = np.asarray(pc.is_in(given, pa.chunked_array(known, pa.string()).combine_chunks()), bool)
    return np.flatnonzero(~scored & ~given.to_pandas().duplicated().to_numpy())


def run_id(run: Run) -> str:
    """Id of the run; without one, of this process."""
    return run.id or f"process {os.getpid()}"
