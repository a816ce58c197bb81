"""Latents and the known labels become a classifier; with too few labels all results are `Skipped`."""

import logging
from typing import Any

import pandas as pd

from ae_pipelines.base.errors import TooFewLabels
from ae_pipelines.base.skipped import Skipped, unless_skipped
from ae_pipelines.base.tables import Table, TableStream
from ae_pipelines.comparison import controls
from ae_pipelines.downstream import class_metrics, classification, few_labels, labelling
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def fit(latents: Latents, options: ClassifyOptions) -> Any:
    """The classifier on the latents."""
    try:
        return classification.fit_classifier(latents, options)
    except TooFewLabels as error:
        return Skipped(str(error), latents.encoder)


@unless_skipped
def predict(classifier: Any, latents: Latents) -> TableStream:
    """Each sample's class and its probability."""
    return TableStream(classification.predict(classifier, piece) for piece in latents.pieces())


@unless_skipped
def draw_few(classifier: Any, latents: Latents, pca_latents: Latents, options: ClassifyOptions) -> dict[str, Any]:
    """Errors by number of labels, beside those of PCA latents."""
    curves = {"latents": few_labels.curve(latents, options), "pca": few_labels.curve(pca_latents, options)}
    return curves | {"kind": options.kind, "encoder": latents.encoder, "seed": options.seed}


@unless_skipped
def measure(
    latents: Latents,
    classifier: Any,
    pca_latents: Latents,
    pca_classifier: Any,
    few_labels_curves: dict[str, Any],
    options: ClassifyOptions,
) -> dict[str, float]:
    """How good classes and probabilities are on the test split, beside a classifier on PCA latents."""
    metrics = class_metrics.classification_metrics(latents, classifier, options)
    control = class_metrics.classification_metrics(pca_latents, pca_classifier, options)
    for found, points in ((metrics, few_labels_curves["latents"]), (control, few_labels_curves["pca"])):
        found |= few_labels.errors(points) | few_labels.bounds(points, int(metrics["test_rows"]))
    return metrics | {f"pca_{name}": control[name] for name in control if name not in classification.ABOUT}


def compare(
    latents: Latents,
    classifier: Any,
    pca_latents: Latents,
    options: ClassifyOptions,
    samples: Samples | None = None,
    autoencoder: Any = None,
) -> Any:
    """Latents beside all controls, from the same rows by the same classifier; nothing where that is not wanted."""
    if isinstance(classifier, Skipped):
        return classifier
    if not options.controls:
        return controls.NOTHING
    try:
        return controls.compared(samples, latents, pca_latents, autoencoder, options)
    except TooFewLabels as error:
        return Skipped(str(error), latents.encoder)


@unless_skipped
def measure_controls(compared: dict[str, Any]) -> dict[str, float]:
    """The numbers of this comparison."""
    return dict(compared["metrics"])


@unless_skipped
def tabulate(latents: Latents, predictions: Table, classifier: Any, metrics: dict[str, float]) -> pd.DataFrame:
    """Precision, recall, f1 and support of each class."""
    table = class_metrics.per_class_table(latents, predictions)
    passed_over = class_metrics.passed_over(latents, classifier)
    for caution in passed_over + class_metrics.cautions(metrics, table, classifier):
        log.warning("classify: %s", caution)
    return table


@unless_skipped
def list_to_label(classifier: Any, latents: Latents, options: ClassifyOptions) -> pd.DataFrame:
    """Unlabelled samples whose labels would teach most."""
    return labelling.to_label(classifier, latents, options)


@unless_skipped
def draw_confusion(latents: Latents, predictions: Table, metrics: dict[str, float]) -> Any:
    """Which classes are confused."""
    from ae_pipelines.plots import classes

    counts = class_metrics.confusion(latents, predictions)
    return classes.confusion_matrix(counts, metrics["accuracy"])


@unless_skipped
def draw_reliability(latents: Latents, classifier: Any, pca_latents: Latents, pca_classifier: Any) -> Any:
    """How often the classifiers are right, by confidence."""
    from ae_pipelines.plots import classes

    ours = class_metrics.reliability(latents, classifier)
    return classes.reliability(ours, class_metrics.reliability(pca_latents, pca_classifier))


@unless_skipped
def draw_few_labels(few_labels_curves: dict[str, Any]) -> Any:
    """Errors by number of labels."""
    from ae_pipelines.plots import classes

    return classes.few_label_curve(few_labels_curves)
