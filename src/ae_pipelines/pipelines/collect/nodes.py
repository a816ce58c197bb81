"""New data for the registered models."""

from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.samples.ingest import Ingest, IngestOptions
from ae_pipelines.samples.source import Source
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.scoring_contract import ScoreOptions


def fetch(model_registry: Any, options: ScoreOptions) -> Any:
    """The models of the chosen version, verified."""
    return model_registry.fetch(options.version, options.alias)


def store(source: Source, registered_model: Any, ingest: IngestOptions, options: ScoreOptions, run: Run) -> Ingest:
    """The new samples, to be written by the sample store as a stream."""
    from ae_pipelines.scoring import collect

    return collect.new_samples(source, registered_model, ingest, options, run)


def count(
    new_samples: Samples, registered_model: Any, scored: Any, options: ScoreOptions, run: Run
) -> dict[str, float]:
    """How many rows were read, and how many of them are new."""
    from ae_pipelines.scoring import collect

    return collect.counts(new_samples, registered_model, scored, options, run)
