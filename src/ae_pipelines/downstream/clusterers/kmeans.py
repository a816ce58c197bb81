"""Groups around means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Restarts

ALL_ROWS = 200_000
"""Above this many rows, starts are tried on `SAMPLED_ROWS` random ones, and the best is continued on all."""
SAMPLED_ROWS = 50_000


@CLUSTERERS.register("kmeans")
@dataclass(frozen=True, kw_only=True)
class KMeans:
    """Groups of least squared distance to their means (Lloyd 1982), from k-means++ starts (Arthur & Vassilvitskii
    2007); measures `inertia`, the sum of these squares."""

    restarts: Restarts = 10
    most_rows = None
    finds_number = False
    has_bic = False

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        for number in numbers:
            yield grouping(vectors, self._fit(vectors, number, seed))

    def _fit(self, vectors: np.ndarray, number: int, seed: int) -> Any:
        from sklearn import cluster

        some = sampled(vectors, seed)
        model = cluster.KMeans(number, n_init=self.restarts, random_state=seed).fit(some)
        if len(some) == len(vectors):
            return model
        return cluster.KMeans(number, init=model.cluster_centers_, n_init=1, random_state=seed).fit(vectors)


def sampled(vectors: np.ndarray, seed: int) -> np.ndarray:
    """All vectors, or `SAMPLED_ROWS` of more than `ALL_ROWS`."""
    if len(vectors) <= ALL_ROWS:
        return vectors
    return vectors[np.sort(np.random.default_rng(seed).choice(len(vectors), SAMPLED_ROWS, replace=False))]


def grouping(vectors: np.ndarray, model: Any) -> Grouping:
    """Groups of the vectors that a KMeans of scikit-learn was fitted on."""
    measures = {"inertia": float(model.inertia_)}
    return Grouping(model.labels_, model.cluster_centers_, vectors, model, measures)
