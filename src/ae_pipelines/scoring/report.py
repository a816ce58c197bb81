"""What a run has scored, in numbers, and whether it still resembles what the models were trained on."""

from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.downstream import drift, intervals
from ae_pipelines.downstream.distribution import ERROR, Distribution, sampled
from ae_pipelines.downstream.drift import DriftOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.scoring.scores import ScoredBatch, Scores, run_id
from ae_pipelines.scoring.version import RegisteredModel

MEASURED = ("anomaly", "probability", ERROR, "label", "predicted")
"""Columns of scores that are measured, as far as there are any."""


def score_metrics(scores: Scores, model: RegisteredModel, run: Run = NO_RUN) -> dict[str, float]:
    """`rows` scored by `run`, and by earlier ones that ended before they compared them (`taken_up`, if any), how many
    and what share of them are `anomalies`, the mean `probability` of the predicted class and `reconstruction_error`,
    `rows_per_second`; where rows have labels also `labelled` and, where there is a classifier, how many have one that
    it does not know, and the `accuracy` over the others. Shares have the bounds of their 95 % intervals, `<name>_low`
    and `<name>_high`."""
    version = {"model_version": float(model.version.number)}
    if not (batches := scores.current(model.version, run)):
        return {"rows": 0.0, **version}
    parts = [batch.table(*MEASURED) for batch in batches]
    table = pd.concat(parts, ignore_index=True)
    earlier = sum(len(part) for part, batch in zip(parts, batches, strict=True) if batch.about["run_id"] != run_id(run))
    means = [name for name in ("probability", "reconstruction_error") if name in table]
    return {
        "rows": float(len(table)),
        **({"taken_up": float(earlier)} if earlier else {}),
        "anomalies": float(table["anomaly"].sum()),
        "anomaly_share": float(table["anomaly"].mean()),
        **intervals.bounds("anomaly_share", intervals.proportion(float(table["anomaly"].mean()), len(table))),
        **{name: float(table[name].mean()) for name in means},
        "rows_per_second": len(table) / max(sum(batch.about["seconds"] for batch in batches), 1e-3),
        **_against_labels(table, model.models.contract.classes),
        **version,
    }


def drift_report(model: RegisteredModel, batch: Distribution, rows: int, options: DriftOptions) -> dict[str, Any]:
    """New rows, so many of which the batch is a sample, compared with the training's latents by
    `downstream.drift.compare`."""
    return drift.compare(model.models.reference, batch, options, rows) | {"model": str(model.version)}


def batch_of(
    model: RegisteredModel, scores: Scores, options: DriftOptions, run: Run = NO_RUN
) -> tuple[Distribution, int]:
    """Latents, clusters and errors of what a run has scored, or of as many of these rows as drift is measured on; and
    how many rows there are, none where nothing was new."""
    if not (batches := scores.current(model.version, run)):
        return model.models.reference.sample(0, seed=0), 0
    table = pd.concat([batch.table("cluster", ERROR) for batch in batches], ignore_index=True)
    rows = sampled(np.arange(len(table)), drift.BATCH_ROWS, options.seed)
    found = table.iloc[rows]
    latents = LatentsInMemory(found, _vectors(batches, rows), {"encoder_sha256": batches[0].about["encoder_sha256"]})
    return Distribution.of_batch(latents, found), len(table)


def _vectors(batches: list[ScoredBatch], rows: np.ndarray) -> np.ndarray:
    """The latents of some rows of all batches together; `InputError` if some of any row are not finite."""
    found, start = [], 0
    for vectors in (vectors for batch in batches for vectors in batch.latents()):
        drift.refuse_not_finite(vectors)
        first, end = np.searchsorted(rows, (start, start + len(vectors)))
        found.append(vectors[rows[first:end] - start])
        start += len(vectors)
    return np.concatenate(found)


def note_judged(model: RegisteredModel, scores: Scores, run: Run = NO_RUN) -> None:
    """Marks these as judged, so that a later run does not judge them again."""
    for batch in scores.current(model.version, run):
        batch.note_judged()


def _against_labels(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, float]:
    labelled = table[table["label"].notna()]
    if not len(labelled) or not classes:
        return {"labelled": float(len(labelled))} if len(labelled) else {}
    known = labelled[labelled["label"].isin(classes)]
    counted = {"labelled": float(len(labelled)), "of_unseen_classes": float(len(labelled) - len(known))}
    if not len(known):
        return counted
    right = float((known["label"] == known["predicted"]).mean())
    return counted | {"accuracy": right} | intervals.bounds("accuracy", intervals.proportion(right, len(known)))
