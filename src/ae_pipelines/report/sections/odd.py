"""Which samples are odd, where, and from which score on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.downstream import detection
from ae_pipelines.latents.labels import Labels
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown import charts
from ae_pipelines.report.shown.charts import Mark
from ae_pipelines.report.shown.galleries import gallery, opener
from ae_pipelines.report.shown.rebuilt import can_rebuild, kind, rebuilt
from ae_pipelines.report.shown.scales import Axis, shown
from ae_pipelines.report.shown.words import percent

CLOSELY, BESIDE = 12, 48
"""The oddest samples are shown with what the model makes of them, more of them as a gallery."""
MOST_CLASSES = 20
KINDS = {
    "blurred_residual": "what the reconstruction gets wrong over an area, as a share of the image",
    "reconstruction_mse": "the squared error of the reconstruction",
    "mahalanobis": "the distance of the latent from the middle of all, in standard deviations",
    "knn_distance": "the distance of the latent to the nearest normal ones",
}
"""What a detector's score is."""


@dataclass(frozen=True)
class Alarms:
    """How many of some samples are odd."""

    name: str
    samples: int
    odd: Markup | str
    """A button that opens them, if there are any."""
    share: str


def section(results: Results) -> Section | None:
    """The oddest samples, the scores and the threshold; None without a detector."""
    anomalies, model = results.anomalies, results.anomaly_model
    if anomalies is None or model is None:
        return None
    scores = anomalies["score"].to_numpy()
    rows = detection.oddest(scores, CLOSELY + BESIDE)
    close, beside = (rows[:CLOSELY], rows[CLOSELY:]) if can_rebuild(results.autoencoder) else (rows[:0], rows)
    captions = [f"score {shown(float(scores[row]))}" for row in close]
    html = render(
        "odd",
        sentences=list(_sentences(results)),
        cautions=[f"{text[0].upper()}{text[1:]}." for text in model.cautions],
        histogram=_histogram(results, scores),
        samples=rebuilt(results, close.tolist(), captions),
        kind=kind(results),
        beside=gallery(beside, [shown(float(scores[row])) for row in beside], "more of the oddest samples"),
        by_split=_alarms("split", results.latents.splits, anomalies["anomaly"].to_numpy()),
        by_class=_by_class(results.latents.labels, anomalies["anomaly"].to_numpy()),
    )
    return Section("odd", "Odd samples", html, np.sort(rows).astype(np.int64))


def _sentences(results: Results) -> Iterator[str]:
    model, anomalies, metrics = results.anomaly_model, results.anomalies, results.detect_metrics or {}
    how = KINDS.get(model.kind, model.kind.replace("_", " "))
    yield f"A sample's score is {how}; the higher, the odder."
    odd = 0 if anomalies is None else int(anomalies["anomaly"].sum())
    kept = "normal samples that were held out" if model.held_out else "samples that the model has learned from"
    yield (
        f"{odd:,} of {len(results.latents):,} samples lie above the threshold {shown(model.threshold)}. It is set on "
        f"{model.calibration_rows:,} {kept}, so that {shown(model.alarms_per_thousand)} of 1,000 normal ones would."
    )
    if "measured_alarms_per_thousand" in metrics:
        low, high = (metrics.get(f"measured_alarms_per_thousand_{end}") for end in ("low", "high"))
        sure = "" if low is None or high is None else f" (95 % interval: {shown(low)} to {shown(high)})"
        yield (
            f"Of 1,000 normal test samples {shown(metrics['measured_alarms_per_thousand'])} are above it{sure}, as "
            f"measured on {int(metrics['normal_rows']):,}."
        )
    if "auroc" in metrics:
        yield _told_apart(metrics)


def _told_apart(metrics: dict[str, float]) -> str:
    low, high = metrics.get("auroc_low"), metrics.get("auroc_high")
    sure = "" if low is None or high is None else f" (95 % interval: {low:.3f} to {high:.3f})"
    control = f"; by PCA {metrics['pca_auroc']:.3f}" if "pca_auroc" in metrics else ""
    return (
        f"{int(metrics['anomalous_rows']):,} test samples are known to be odd. One of them has a higher score than a "
        f"normal one in {metrics['auroc']:.3f} of all pairs (AUROC; 0.5 is chance){sure}{control}."
    )


def _histogram(results: Results, scores: np.ndarray) -> Markup:
    groups = detection.scores_by_group(results.latents, scores)
    if not groups:
        return Markup("")
    threshold = float(results.anomaly_model.threshold)
    log = all(values.min() > 0 for values in groups.values()) and threshold > 0
    above = ", ".join(f"{percent(float((values > threshold).mean()))} of {name}" for name, values in groups.items())
    axis = Axis("score" + (" (log scale)" if log else ""), log=log)
    return charts.histograms(groups, f"scores; above the threshold: {above}", axis, [Mark(threshold, "threshold")])


def _alarms(field: str, names: Labels, odd: np.ndarray) -> list[Alarms]:
    """By the values of a field of the page, those with the largest share of odd ones first; whether each row is odd."""
    table = pd.DataFrame({"samples": names.counts(), "odd": names.counts(odd)}).fillna(0).astype(int)
    table["share"] = table["odd"] / table["samples"]
    ordered = table.sort_values(["share", "samples"], ascending=False, kind="stable")
    return [
        Alarms(str(name), int(row["samples"]), _odd_ones(field, str(name), int(row["odd"])), percent(row["share"]))
        for name, row in ordered.iterrows()
    ]


def _odd_ones(field: str, name: str, count: int) -> Markup | str:
    return opener({"anomaly": "yes", field: name}, f"odd ones: {name}", f"{count:,}") if count else "0"


def _by_class(labels: Labels, odd: np.ndarray) -> list[Alarms]:
    """The classes with the most odd ones among them; none where nothing is labelled or odd."""
    return _alarms("label", labels, odd)[:MOST_CLASSES] if odd[labels.known].any() else []
