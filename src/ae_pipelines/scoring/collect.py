"""New data on the scale that the registered models were trained on; refused if they are something else."""

from contextlib import suppress
from typing import Any

import numpy as np

from ae_pipelines.base.errors import NothingThere
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.samples.ingest import Ingest, IngestOptions
from ae_pipelines.samples.source import EncodedSource, ScaledSource, Source
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.scores import Scores
from ae_pipelines.scoring.scoring_contract import BLOCK_ROWS, ScoreOptions, magnitudes
from ae_pipelines.scoring.version import RegisteredModel


def new_samples(
    source: Source | EncodedSource,
    model: RegisteredModel,
    ingest: IngestOptions,
    options: ScoreOptions,
    run: Run = NO_RUN,
) -> Ingest:
    """The source, to be written into a store, which may be empty; `InputError` if its samples are not what the models
    take."""
    contract = model.models.contract
    scaled: Any = source.like(contract.samples) if isinstance(source, ScaledSource) else source
    with suppress(NothingThere):  # without samples there is nothing to refuse
        contract.refuse_other(scaled.spec(), str(model.version))
    if options.leave_out_bad_rows:
        ingest = ingest.model_copy(update={"max_rejected_share": 1.0})
    return Ingest(scaled, ingest, contract.samples, run)


def counts(
    samples: Samples, model: RegisteredModel, scores: Scores, options: ScoreOptions, run: Run = NO_RUN
) -> dict[str, float]:
    """What was read, and how much of it is `new` to this version: not scored, or by this run, or by one that ended
    before it compared it with the training. `InputError` if the models cannot take it."""
    contract = model.models.contract
    contract.refuse_unfit(samples, options.leave_out_bad_rows)
    unscored = scores.unscored(samples, model.version)
    if len(unscored):
        contract.refuse_other_scale(_magnitudes(samples, unscored))
    elif len(samples) and not scores.current(model.version, run):
        run.skip(f"{model.version} has scored all of the {len(samples)} samples")
    return {**samples.counts(), "new": float(len(scores.new(samples, model.version, run)))}


def _magnitudes(samples: Samples, rows: np.ndarray) -> np.ndarray:
    parts = (rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS))
    return np.concatenate([magnitudes(samples.take(part)) for part in parts])
