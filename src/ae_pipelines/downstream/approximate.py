"""Most of the nearest neighbours among very many latents, by IVF-PQ (Jégou, Douze & Schmid 2011) of faiss."""

import math
from typing import Any

import numpy as np

from ae_pipelines.downstream.nearest import faiss_for_many, nearest_of_pieces
from ae_pipelines.latents.file import Latents

TRAINED_BY = 64
"""Vectors, for each list and for each code word, from which these are learned."""
ROUNDS = 10
"""Iterations of KMeans, which finds lists and code words."""
CANDIDATES = 4
"""So many times as many candidates are taken from the index as neighbours are wanted; the nearest of them, by their
vectors in the file, are the neighbours."""
CANDIDATE_BYTES = 2**27
"""Vectors of candidates that are read together."""
FIRST_PROBES = 16
"""Lists that are searched for each query, at least."""
WANTED_RECALL = 0.95
"""Share of the true neighbours that are to be among the candidates: so many lists are searched."""
TRIED_ROWS = 200
"""Number of queries by which that is decided."""


class ApproximateIndex:
    """Latents in √n lists, each vector as one byte for two of its dimensions; with its number that is d/2 + 8 bytes.

    How many lists are searched is found by trying, against an exact search.
    """

    def __init__(self, latents: Latents, count: int, seed: int = 0) -> None:
        self._latents, self._count = latents, count
        random = np.random.default_rng(seed)
        self._index = self._trained(random)
        for piece in latents.vectors_in_pieces():
            self._index.add(_even(piece))
        self._choose_probes(random)

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Most of the `count` nearest latents of each query, nearest first: distances (n, count), float32, and rows
        (n, count), int64; -1, infinitely far, where fewer were found."""
        at_once = max(1, CANDIDATE_BYTES // (4 * self._latents.size * CANDIDATES * self._count))
        blocks = [queries[start : start + at_once] for start in range(0, len(queries), at_once)]
        distances, rows = zip(*map(self._nearest_of_candidates, blocks), strict=True)
        return np.concatenate(distances), np.concatenate(rows)

    def _trained(self, random: np.random.Generator) -> Any:
        faiss = faiss_for_many()
        rows, size = len(self._latents), self._latents.size + self._latents.size % 2
        lists, bits = math.isqrt(rows), min(8, int(math.log2(rows)))
        index = faiss.IndexIVFPQ(faiss.IndexFlatL2(size), size, lists, size // 2, bits)
        for clustering in (index.cp, index.pq.cp):
            clustering.niter, clustering.min_points_per_centroid = ROUNDS, 1
            clustering.max_points_per_centroid = TRAINED_BY
        index.use_precomputed_table = -1  # it takes 64 kB a list and pair of dimensions
        index.train(_even(self._latents.at(_drawn(random, rows, TRAINED_BY * max(lists, 2**bits)))))
        return index

    def _choose_probes(self, random: np.random.Generator) -> None:
        wanted = self._latents.at(_drawn(random, len(self._latents), TRIED_ROWS))
        _, true = nearest_of_pieces(self._latents.vectors_in_pieces(), wanted, self._count)
        self._index.nprobe = min(FIRST_PROBES, self._index.nlist)
        while self._index.nprobe < self._index.nlist and share(true, self._candidates(wanted)) < WANTED_RECALL:
            self._index.nprobe = min(2 * self._index.nprobe, self._index.nlist)

    def _candidates(self, queries: np.ndarray) -> np.ndarray:
        """(n, candidates), ascending; -1 where there are fewer."""
        return np.sort(self._index.search(_even(queries), CANDIDATES * self._count)[1], axis=1)

    def _nearest_of_candidates(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        candidates = self._candidates(queries)
        rows = np.unique(candidates[candidates >= 0])
        vectors, places = self._latents.at(rows), np.searchsorted(rows, candidates)
        squares = np.full(candidates.shape, np.inf, np.float32)
        for number, column in enumerate(places.T):
            squares[:, number] = np.square(vectors[column] - queries).sum(axis=1)
        squares[candidates < 0] = np.inf
        first = np.argsort(squares, axis=1, kind="stable")[:, : self._count]
        return np.sqrt(np.take_along_axis(squares, first, axis=1)), np.take_along_axis(candidates, first, axis=1)


def share(true: np.ndarray, found: np.ndarray) -> float:
    """Mean share of the true neighbours (n, k) of a query that are among those found (n, m)."""
    return float(np.mean([np.isin(these, those).mean() for these, those in zip(true, found, strict=True)]))


def _drawn(random: np.random.Generator, rows: int, most: int) -> np.ndarray:
    return np.sort(random.choice(rows, min(rows, most), replace=False))


def _even(vectors: np.ndarray) -> np.ndarray:
    """With a zero more where dimensions are odd in number, so that all are in pairs."""
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, vectors.shape[1] % 2))), np.float32)
