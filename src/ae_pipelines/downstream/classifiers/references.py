"""Rows that a transductive classifier learned about, and others by their nearest of these."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.nearest import Index, places_of


@dataclass(frozen=True)
class References:
    """Vectors that a class distribution is known of."""

    vectors: np.ndarray
    """(n, d), float32."""
    neighbours: int
    """By which another row is judged."""

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Positions (rows, neighbours) of the references that speak for each vector: of one that is a reference, that
        one alone; of any other, its nearest ones."""
        own = places_of(vectors, self.vectors)
        places = np.repeat(own[:, None], min(self.neighbours, len(self.vectors)), axis=1)
        others = own < 0
        if others.any():
            places[others] = Index(self.vectors, exact=True).nearest(vectors[others], self.neighbours)[1]
        return places


@dataclass(frozen=True)
class Distributions:
    """Of classes, for each reference."""

    shares: np.ndarray
    """(references, classes), float32; rows add up to 1."""

    def probabilities(self, places: np.ndarray) -> np.ndarray:
        total = np.zeros((len(places), self.shares.shape[1]), np.float32)
        for column in places.T:
            total += self.shares[column]
        return total / places.shape[1]
