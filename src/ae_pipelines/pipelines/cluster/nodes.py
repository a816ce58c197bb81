"""Latents become groups."""

from typing import Any

import pandas as pd

from ae_pipelines.downstream import clustering
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.latents import Latents


def fit(latents: Latents, options: ClusterOptions) -> Any:
    """The model that assigns groups."""
    return clustering.fit_kmeans(latents, options)


def assign(model: Any, latents: Latents) -> pd.DataFrame:
    """Each sample's group and its distance to the centre."""
    return clustering.assign(model, latents)


def measure(
    latents: Latents,
    model: Any,
    clusters: pd.DataFrame,
    pca_latents: Latents,
    pca_model: Any,
    pca_clusters: pd.DataFrame,
) -> dict[str, float]:
    """How good the groups are, beside groups of PCA latents."""
    metrics = clustering.cluster_metrics(latents, model, clusters["cluster"].to_numpy())
    control = clustering.cluster_metrics(pca_latents, pca_model, pca_clusters["cluster"].to_numpy())
    return metrics | {f"pca_{name}": control[name] for name in control if name != "clusters"}


def draw_latent_map(latents: Latents, clusters: pd.DataFrame) -> Any:
    """All latents in the plane, by label and by group."""
    from ae_pipelines.plots import latent_map

    labels = latents.labels if latents.labelled.any() else None
    return latent_map.latent_map(latents.vectors, labels, clusters["cluster"].to_numpy())
