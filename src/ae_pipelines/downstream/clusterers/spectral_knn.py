"""Groups into which a neighbour graph falls apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Neighbours, Restarts
from ae_pipelines.downstream.clusterers.by_neighbours import grouping
from ae_pipelines.downstream.clusterers.kmeans import KMeans
from ae_pipelines.downstream.graph import affinity


@CLUSTERERS.register("spectral_knn")
@dataclass(frozen=True, kw_only=True)
class SpectralKnn:
    """KMeans of the leading eigenvectors of the normalised affinity of the nearest-neighbour graph, rows scaled to
    length 1 (Ng, Jordan & Weiss 2001). New rows join their neighbours' groups."""

    neighbours: Neighbours = 20
    restarts: Restarts = 10
    most_rows = 100_000
    finds_number = False
    has_bic = False

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        leading = leading_eigenvectors(vectors, self.neighbours, max(numbers), seed)
        for number in numbers:
            space = leading[:, :number] / np.linalg.norm(leading[:, :number], axis=1, keepdims=True)
            (found,) = KMeans(restarts=self.restarts).groupings(space, [number], seed)
            yield grouping(vectors, found.groups, space)


def leading_eigenvectors(vectors: np.ndarray, neighbours: int, count: int, seed: int) -> np.ndarray:
    """Eigenvectors of D^-1/2 W D^-1/2, W the affinity of vectors (n, d) and D its row sums: (n, count), float64, the
    largest eigenvalue first."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import eigsh

    graph = affinity(vectors, neighbours).astype(np.float64)
    scale = diags(np.asarray(graph.sum(axis=1)).ravel() ** -0.5)
    start = np.random.default_rng(seed).random(len(vectors))
    held = min(len(vectors), max(60, 3 * count))  # Lanczos vectors: eigenvalues near 1 lie close together
    # to full precision (tol 0): a graph in parts has an eigenvalue 1 for each, but less would find only one
    _, found = eigsh(scale @ graph @ scale, k=count, which="LA", ncv=held, tol=0, v0=start)
    return found[:, ::-1]
