"""What a run has scored, in numbers, and whether it still resembles what the models were trained on."""

from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.downstream import drift, intervals
from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import DriftOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.latents.parquet import vectors_of
from ae_pipelines.scoring.scores import Scores
from ae_pipelines.scoring.version import RegisteredModel


def score_metrics(scores: Scores, model: RegisteredModel, run: Run = NO_RUN) -> dict[str, float]:
    """`rows` scored by `run`, how many and what share of them are `anomalies`, the mean `probability` of the
    predicted class and `reconstruction_error`, `rows_per_second`; where rows have labels also `labelled` and, where
    there is a classifier, how many have one that it does not know, and the `accuracy` over the others. Shares have
    the bounds of their 95 % intervals, `<name>_low` and `<name>_high`."""
    version = {"model_version": float(model.version.number)}
    if not (batches := scores.current(model.version, run)):
        return {"rows": 0.0, **version}
    table = pd.concat([batch.table() for batch in batches], ignore_index=True)
    means = [name for name in ("probability", "reconstruction_error") if name in table]
    return {
        "rows": float(len(table)),
        "anomalies": float(table["anomaly"].sum()),
        "anomaly_share": float(table["anomaly"].mean()),
        **intervals.bounds("anomaly_share", intervals.proportion(float(table["anomaly"].mean()), len(table))),
        **{name: float(table[name].mean()) for name in means},
        "rows_per_second": len(table) / max(sum(batch.about["seconds"] for batch in batches), 1e-3),
        **_against_labels(table, model.models.contract.classes),
        **version,
    }


def drift_report(model: RegisteredModel, batch: Distribution, options: DriftOptions) -> dict[str, Any]:
    """New rows compared with the training's latents by `downstream.drift.compare`."""
    return drift.compare(model.models.reference, batch, options) | {"model": str(model.version)}


def batch_of(model: RegisteredModel, scores: Scores, run: Run = NO_RUN) -> Distribution:
    """Latents, clusters and errors of what a run has scored; no rows where nothing was new."""
    if not (batches := scores.current(model.version, run)):
        return model.models.reference.sample(0, seed=0)
    table = pd.concat([batch.table() for batch in batches], ignore_index=True)
    vectors = np.concatenate([vectors_of(batch.read("latent").column(0)) for batch in batches])
    latents = LatentsInMemory(table, vectors, {"encoder_sha256": batches[0].about["encoder_sha256"]})
    return Distribution.of_batch(latents, table)


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
