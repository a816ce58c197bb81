"""Rows that a transductive classifier was fitted on; any others are classified by the nearest of these."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.nearest import Index, places_of


@dataclass(frozen=True)
class References:
    """Vectors whose class distribution is known."""

    vectors: np.ndarray
    """(n, d), float32."""
    neighbours: int
    """Number of nearest references by which any other row is classified."""

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Positions (rows, neighbours) of the references that decide for each vector: for one that is a reference,
        that one alone; for any other, its nearest ones."""
        own = places_of(vectors, self.vectors)
        places = np.repeat(own[:, None], min(self.neighbours, len(self.vectors)), axis=1)
        others = own < 0
        if others.any():
            places[others] = Index(self.vectors).nearest(vectors[others], self.neighbours)[1]
        return places


@dataclass(frozen=True)
class Distributions:
    """Class distribution of each reference."""

    shares: np.ndarray
    """(references, classes), float32; rows add up to 1."""

    def probabilities(self, places: np.ndarray) -> np.ndarray:
        total = np.zeros((len(places), self.shares.shape[1]), np.float32)
        for column in places.T:
            total += self.shares[column]
        return total / places.shape[1]
