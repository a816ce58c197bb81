"""Groups among latents: unsupervised classification."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.errors import InputError
from ae_pipelines.latents import Latents
from ae_pipelines.options import Options
from ae_pipelines.samples import Samples

SILHOUETTE_ROWS = 10_000
"""The silhouette is quadratic in rows: above this many it is taken over a random sample."""


class ClusterOptions(Options):
    """How latents are grouped."""

    clusters: Annotated[int, Field(gt=1)] | None = None
    """How many groups; None takes the number of different labels."""
    restarts: Annotated[int, Field(gt=0)] = 10
    """KMeans runs from this many starts and keeps the lowest inertia."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if there are fewer samples, or fewer distinct ones, than groups."""
        clusters = self._wanted(len(samples.labels().groupby(level="label").sum()))
        _refuse_too_few(len(samples), clusters)
        distinct = samples.distinct(at_least=clusters)
        if distinct < clusters:
            raise InputError(
                f"the {len(samples)} samples have only {distinct} different contents, too few for {clusters} groups: "
                "give fewer groups, or more samples"
            )

    def _wanted(self, labels: int) -> int:
        clusters = self.clusters or labels
        if clusters < 2:
            raise InputError(
                f"cannot tell how many groups to look for: the samples have {clusters} different labels. "
                "Give --params=cluster.clusters=<number>"
            )
        return clusters


def fit_kmeans(latents: Latents, options: ClusterOptions) -> Any:
    """scikit-learn's KMeans (Lloyd) fitted on all latents."""
    from sklearn.cluster import KMeans

    clusters = _number_of_clusters(latents, options)
    return KMeans(clusters, n_init=options.restarts, random_state=options.seed).fit(latents.vectors)


def assign(model: Any, latents: Latents) -> pd.DataFrame:
    """A row a sample: `sample_id`, its `cluster` and the `distance` to that cluster's centre."""
    distances = model.transform(latents.vectors)
    clusters = distances.argmin(axis=1)
    return pd.DataFrame(
        {
            "sample_id": latents.column("sample_id"),
            "cluster": clusters.astype(np.int32),
            "distance": distances[np.arange(len(clusters)), clusters].astype(np.float32),
        }
    )


def cluster_metrics(latents: Latents, model: Any, clusters: np.ndarray, seed: int = 0) -> dict[str, float]:
    """`inertia` and `silhouette`; where there are labels also `accuracy` (each cluster given its best class,
    one to one), `nmi` and `ari`, over the labelled rows."""
    from sklearn import config_context
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

    random = np.random.default_rng(seed).permutation(len(latents))[:SILHOUETTE_ROWS]
    rows = np.union1d(random, np.unique(clusters, return_index=True)[1])  # every group is in the sample
    with config_context(working_memory=64):  # MB; the default of 1 GB is more than the rest of a run takes
        silhouette = silhouette_score(latents.vectors[rows], clusters[rows])
    metrics = {
        "clusters": float(len(model.cluster_centers_)),
        "inertia": float(model.inertia_),
        "silhouette": float(silhouette),
    }
    if latents.labelled.any():
        labels, found = latents.labels[latents.labelled], clusters[latents.labelled]
        metrics["accuracy"] = matched_accuracy(labels, found)
        metrics["nmi"] = float(normalized_mutual_info_score(labels, found))
        metrics["ari"] = float(adjusted_rand_score(labels, found))
    return metrics


def matched_accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows whose cluster is matched to their class, under the best one-to-one matching (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    counts = pd.crosstab(labels, clusters).to_numpy()
    classes, groups = linear_sum_assignment(counts, maximize=True)
    return float(counts[classes, groups].sum() / len(labels))


def _number_of_clusters(latents: Latents, options: ClusterOptions) -> int:
    clusters = options._wanted(len(np.unique(latents.labels[latents.labelled])))
    _refuse_too_few(len(latents), clusters)
    distinct = len(np.unique(latents.vectors[: 100 * clusters], axis=0))
    if distinct < clusters:
        distinct = len(np.unique(latents.vectors, axis=0))
    if distinct < clusters:
        raise InputError(
            f"the samples have {distinct} different latents, too few for {clusters} groups: "
            "give fewer groups, or train an encoder that tells samples apart"
        )
    return clusters


def _refuse_too_few(samples: int, clusters: int) -> None:
    if samples <= clusters:
        raise InputError(f"{samples} samples cannot make {clusters} groups: give more samples or fewer groups")
