"""A source becomes the sample store."""

from typing import Any

import pandas as pd

from ae_pipelines.samples.ingest import Ingest, IngestOptions
from ae_pipelines.samples.source import Source
from ae_pipelines.samples.store import Samples


def store(source: Source, options: IngestOptions) -> Ingest:
    """The source, to be written by the sample store as a stream."""
    return Ingest(source, options)


def count(samples: Samples) -> dict[str, float]:
    """How many rows were read, taken and left out, how many carry a label, and what the ingest had to do."""
    return samples.counts()


def list_rejects(samples: Samples) -> pd.DataFrame:
    """What was left out, and why."""
    return samples.rejects


def list_columns(samples: Samples) -> pd.DataFrame:
    """What became of each column of a table; no rows where samples have none."""
    from ae_pipelines.samples.tables import treatments

    return treatments.described(samples.spec.preprocessing)


def list_conflicts(samples: Samples) -> pd.DataFrame:
    """The content that has more than one label."""
    return samples.conflicts


def draw_rejects(samples: Samples) -> Any:
    """What was left out, by reason."""
    from ae_pipelines.plots import rejects

    return rejects.rejects_summary(samples.manifest, samples.rejects["reason"].value_counts())
