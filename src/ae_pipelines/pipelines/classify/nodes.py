"""Latents and the labels there are become a classifier."""

from typing import Any

import pandas as pd

from ae_pipelines.downstream import classification
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.latents import Latents


def fit(latents: Latents, options: ClassifyOptions) -> Any:
    """The classifier on the latents."""
    return classification.fit_classifier(latents, options)


def predict(classifier: Any, latents: Latents) -> pd.DataFrame:
    """Each sample's class and its probability."""
    return classification.predict(classifier, latents)


def measure(
    latents: Latents,
    predictions: pd.DataFrame,
    pca_latents: Latents,
    pca_predictions: pd.DataFrame,
    options: ClassifyOptions,
) -> dict[str, float]:
    """Accuracy on the test split, beside a classifier on PCA latents."""
    metrics = classification.classification_metrics(latents, predictions["predicted"].to_numpy(dtype=str), options)
    control = classification.classification_metrics(
        pca_latents, pca_predictions["predicted"].to_numpy(dtype=str), options
    )
    return metrics | {f"pca_{name}": control[name] for name in ("accuracy", "knn_accuracy")}


def tabulate(latents: Latents, predictions: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall, f1 and support of each class."""
    return classification.per_class_table(latents, predictions["predicted"].to_numpy(dtype=str))


def draw_confusion(latents: Latents, predictions: pd.DataFrame, metrics: dict[str, float]) -> Any:
    """Which classes are taken for which."""
    from ae_pipelines.plots import classes

    counts = classification.confusion(latents, predictions["predicted"].to_numpy(dtype=str))
    return classes.confusion_matrix(counts, metrics["accuracy"])
