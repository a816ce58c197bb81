"""Latents become groups."""

import logging
from typing import Any

import pandas as pd

from ae_pipelines.base.tables import Table, TableStream
from ae_pipelines.downstream import clustering, group_contents, intervals
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def fit(latents: Latents, options: ClusterOptions) -> Any:
    """The model that assigns groups."""
    return clustering.fit_groups(latents, options)


def assign(model: Any, latents: Latents) -> TableStream:
    """Each sample's group and its distance to the centre."""
    return TableStream(clustering.assign(model, piece) for piece in latents.pieces())


def measure(
    latents: Latents,
    model: Any,
    clusters: Table,
    pca_latents: Latents,
    pca_model: Any,
    pca_clusters: Table,
) -> dict[str, float]:
    """How good the groups are, beside groups of PCA latents."""
    metrics = clustering.cluster_metrics(latents, model, clusters["cluster"].to_numpy())
    control = clustering.cluster_metrics(pca_latents, pca_model, pca_clusters["cluster"].to_numpy())
    if "accuracy" in metrics and (caution := intervals.few("accuracy", metrics, int(metrics["labelled_rows"]))):
        log.warning("cluster: %s", caution)
    return metrics | {f"pca_{name}": control[name] for name in control if name not in clustering.ABOUT}


def tabulate(latents: Latents, clusters: Table) -> pd.DataFrame:
    """How large each group is, and what is in it."""
    return group_contents.cluster_sizes(latents, clusters)


def draw_report(model: Any, sizes: pd.DataFrame) -> Any:
    """The sizes of groups, and how their number was chosen."""
    from ae_pipelines.plots import clusters

    return clusters.report(sizes, model.kind, model.tried.numbers, model.tried.values, model.tried.criterion)


def draw_examples(latents: Latents, samples: Samples, clusters: Table, sizes: pd.DataFrame) -> Any:
    """The samples nearest to each group's centre."""
    from ae_pipelines.plots import clusters as plots
    from ae_pipelines.plots.figure import column_names

    provenance.refuse_other_samples(latents, samples)
    return plots.examples(group_contents.nearest_samples(samples, clusters), sizes, column_names(samples.spec))
