"""Rows that a transductive classifier learned about, and others by their nearest of these."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.nearest import Index


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
        own = self._equal(vectors)
        places = np.repeat(own[:, None], min(self.neighbours, len(self.vectors)), axis=1)
        others = own < 0
        if others.any():
            places[others] = Index(self.vectors, exact=True).nearest(vectors[others], self.neighbours)[1]
        return places

    def _equal(self, vectors: np.ndarray) -> np.ndarray:
        """The first reference with the same values, or -1."""
        known, asked = _fingerprints(self.vectors), _fingerprints(vectors)
        order = np.argsort(known, kind="stable")
        found = order[np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)]
        same = (self.vectors[found] == vectors).all(axis=1)
        return np.where(same, found, -1)


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


def _fingerprints(vectors: np.ndarray) -> np.ndarray:
    """A number for each vector, the same for equal ones: a sum of its bits times odd numbers, modulo 2⁶⁴."""
    bits = np.ascontiguousarray(vectors + np.float32(0), np.float32).view(np.uint32)  # + 0: -0.0 equals 0.0
    factors = 2 * np.random.default_rng(0).integers(2**63, size=(1, bits.shape[1]), dtype=np.uint64) + np.uint64(1)
    total = np.zeros(len(bits), np.uint64)
    for column, factor in zip(bits.T, factors[0], strict=True):
        total += column * factor
    return total
