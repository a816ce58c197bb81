"""Latents and reconstruction errors become a detector."""

import logging
from typing import Any

import pandas as pd

from ae_pipelines.base.tables import Table, TableStream
from ae_pipelines.downstream import detection, intervals, localisation
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def fit(latents: Latents, options: DetectOptions, samples: Samples, autoencoder: Any) -> Any:
    """The detector with its threshold."""
    provenance.refuse_other_samples(latents, samples)
    provenance.refuse_other_encoder(latents, autoencoder.contract.sha256)
    return detection.fit_detector(latents, options)


def fit_control(pca_latents: Latents, options: DetectOptions, anomaly_model: Any) -> Any:
    """The same kind of detector for PCA latents."""
    return detection.fit_detector(pca_latents, options.for_kind(anomaly_model.kind))


def find(anomaly_model: Any, latents: Latents) -> TableStream:
    """Each sample's score, and whether it is an anomaly."""
    return TableStream(detection.find_anomalies(anomaly_model, piece) for piece in latents.pieces())


def measure(
    latents: Latents,
    anomaly_model: Any,
    anomalies: Table,
    pca_latents: Latents,
    pca_anomaly_model: Any,
    pca_anomalies: Table,
    options: DetectOptions,
    samples: Samples,
    autoencoder: Any,
) -> dict[str, float]:
    """Alarms and, where anomalies are known, how well they are told apart, beside PCA."""
    for caution in anomaly_model.cautions:
        log.warning("detect: %s", caution)
    metrics = detection.detection_metrics(latents, anomaly_model, anomalies)
    if "auroc" in metrics and (caution := intervals.few("auroc", metrics, detection.fewer_rows(metrics))):
        log.warning("detect: %s", caution)
    control = detection.detection_metrics(pca_latents, pca_anomaly_model, pca_anomalies)
    beside = {f"pca_{name}": control[name] for name in detection.COMPARED if name in control}
    return metrics | detection.auroc_of_each(latents, options) | beside | _localised(samples, autoencoder)


def _localised(samples: Samples, autoencoder: Any) -> dict[str, float]:
    """Where masks are known and the model has a decoder: whether errors are in the right places."""
    from ae_pipelines.latents import pca
    from ae_pipelines.training import examples

    contract = autoencoder.contract
    rows, masks = localisation.masked_test_rows(samples, contract.learned_from.normal_labels)
    residuals = examples.residuals(autoencoder, samples.take(rows)) if masks.any() else None
    if residuals is None:
        return {}
    control = pca.residuals(samples, rows, contract.latent_size, contract.learned_from)
    found = {"pixel_auroc": residuals, "pca_pixel_auroc": control}
    metrics = {name: localisation.pixel_auroc(wrong, masks) for name, wrong in found.items()}
    return metrics | {"masked_images": float(masks.any(axis=(1, 2)).sum())}


def list_oddest(anomalies: Table, samples: Samples, autoencoder: Any) -> pd.DataFrame:
    """The oddest samples and, of a table, the columns that are reconstructed worst."""
    from ae_pipelines.training import examples

    rows = detection.oddest(anomalies["score"].to_numpy(), detection.LISTED)
    residual = examples.rebuilt(autoencoder, samples.take(rows)).get("residual")
    return detection.listed(anomalies.take(rows), residual, samples.spec)


def draw_oddest(latents: Latents, anomaly_model: Any, anomalies: Table, samples: Samples, autoencoder: Any) -> Any:
    """The oddest samples, and the distribution of scores."""
    from ae_pipelines.plots import anomalies as plots
    from ae_pipelines.plots.figure import column_names
    from ae_pipelines.training import examples

    scores = anomalies["score"].to_numpy()
    rows = detection.oddest(scores, examples.SHOWN)
    shown = examples.rebuilt(autoencoder, samples.take(rows))
    groups = detection.scores_by_group(latents, scores)
    title = detection.in_words(anomaly_model, anomalies)
    threshold = (anomaly_model.threshold, anomaly_model.calibration_rows)
    return plots.oddest(shown, scores[rows], groups, *threshold, title, column_names(samples.spec))
