"""Groups around means."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Restarts, lloyd

MOST_STEPS = 50
"""Passes over all rows that move means, after those over a sample; mostly fewer are needed."""


@CLUSTERERS.register("kmeans")
@dataclass(frozen=True, kw_only=True)
class KMeans:
    """Groups of least squared distance to their means (Lloyd 1982), from k-means++ starts (Arthur & Vassilvitskii
    2007); measures `inertia`, the sum of these squares."""

    restarts: Restarts = 10
    most_rows = 200_000
    start_rows = 50_000
    finds_number = False
    has_bic = False

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        from sklearn import cluster

        for number in numbers:
            model = cluster.KMeans(number, n_init=self.restarts, random_state=seed)
            yield grouping(vectors, model.fit(vectors))

    def refined(self, found: Grouping, pieces: Iterable[np.ndarray]) -> Grouping:
        return lloyd.refined(found, pieces, MOST_STEPS)


def grouping(vectors: np.ndarray, model: Any) -> Grouping:
    """Groups of the vectors that a KMeans of scikit-learn was fitted on."""
    measures = {"inertia": float(model.inertia_)}
    return Grouping(model.labels_, model.cluster_centers_, vectors, model, measures)
