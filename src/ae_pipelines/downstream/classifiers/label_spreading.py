"""Labels that spread over the graph of nearest neighbours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.classifiers import CLASSIFIERS
from ae_pipelines.downstream.classifiers.references import Distributions, References

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@CLASSIFIERS.register("label_spreading")
@dataclass(frozen=True, kw_only=True)
class LabelSpreading:
    """F ← α S F + (1 - α) Y, S = D^-½ W D^-½, on the graph of the `k` nearest neighbours (Zhou et al. 2004, section 2).

    Classes are then weighted so that the mass of each is its share of the labels (Zhu et al. 2003, eq. 9). Departures:
    a fixed number of `iterations`, and rows that no label reaches get those shares.
    """

    k: Annotated[int, Field(gt=0)] = 10
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Weight of the neighbours' labels against a row's own."""
    iterations: Annotated[int, Field(gt=0)] = 100
    transductive = True

    def prepare(self, vectors: np.ndarray, seed: int) -> "Graph":
        from ae_pipelines.downstream.graph import affinity

        weights = affinity(vectors, self.k)
        return Graph(References(vectors, self.k), _normalised(weights), self.alpha, self.iterations)


@dataclass(frozen=True)
class Graph:
    """A neighbour graph to be fitted with labels."""

    places: References
    similarity: "csr_matrix"
    """S, (n, n)."""
    alpha: float
    iterations: int

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> Distributions:
        labels = np.zeros((self.similarity.shape[0], int(classes.max()) + 1), np.float32)
        labels[rows, classes] = 1 - self.alpha
        step, spread = self.similarity * np.float32(self.alpha), labels
        for _ in range(self.iterations):
            spread = step @ spread
            spread += labels
        return Distributions(_weighted(spread, np.bincount(classes) / len(classes)))


def _normalised(weights: "csr_matrix") -> "csr_matrix":
    from scipy.sparse import csr_matrix, diags_array

    degrees = np.maximum(np.asarray(weights.sum(axis=1)).ravel(), np.finfo(np.float32).tiny)
    scale = diags_array(1 / np.sqrt(degrees))
    return csr_matrix(scale @ weights @ scale, dtype=np.float32)


def _weighted(spread: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Rows scaled to add up to 1, after each column was given a mass of its share of the labels."""
    weighted = spread * (shares / np.maximum(spread.sum(axis=0), np.finfo(np.float32).tiny)).astype(np.float32)
    mass = weighted.sum(axis=1, keepdims=True)
    return np.where(mass > 0, weighted / np.where(mass > 0, mass, 1), shares).astype(np.float32)
