"""Nearest neighbours among vectors, by faiss (Douze et al. 2024)."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

QUERIES_AT_ONCE = 4096


class Index:
    """Vectors (n, d), ready to be searched by Euclidean distance."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._index: Any = faiss_for_many().IndexFlatL2(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def nearest(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest vectors of each query, nearest first: distances (n, count), float32, and positions (n, count),
        int64. `count` is at most the number of vectors."""
        count = min(count, len(self))
        squares = np.empty((len(queries), count), np.float32)
        rows = np.empty((len(queries), count), np.int64)
        for part in _at_once(len(queries)):
            squares[part], rows[part] = self._index.search(np.ascontiguousarray(queries[part], np.float32), count)
        return np.sqrt(np.maximum(squares, 0)), rows


def nearest_of_pieces(pieces: Iterable[np.ndarray], queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """What an `Index` of all vectors finds, where these come in consecutive pieces (m, d), of which one at a time
    is in memory: distances and positions (n, count); of equally near ones the first come first."""
    knn, total = faiss_for_many().knn, 0
    queries = np.ascontiguousarray(queries, np.float32)
    squares = np.full((len(queries), count), np.inf, np.float32)
    rows = np.full((len(queries), count), -1, np.int64)
    for piece in pieces:
        vectors = np.ascontiguousarray(piece, np.float32)
        for part in _at_once(len(queries)):
            nearer, here = knn(queries[part], vectors, min(count, len(vectors)))
            both = np.hstack([squares[part], nearer]), np.hstack([rows[part], here + total])
            first = np.argsort(both[0], axis=1, kind="stable")[:, :count]
            squares[part], rows[part] = (np.take_along_axis(each, first, axis=1) for each in both)
        total += len(vectors)
    return np.sqrt(np.maximum(squares[:, :total], 0)), rows[:, :total]


def rows_of(pieces: Iterable[np.ndarray], rows: np.ndarray) -> Iterator[np.ndarray]:
    """The vectors at some positions, which ascend, of vectors that come in consecutive pieces (m, d)."""
    start = 0
    for piece in pieces:
        first, last = np.searchsorted(rows, (start, start + len(piece)))
        if first < last:
            yield piece[rows[first:last] - start]
        start += len(piece)


def nearest_others(vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other vectors of each vector: distances (n, count) and positions (n, count)."""
    index = Index(vectors)
    distances, rows = index.nearest(vectors, count + 1)
    # a vector is not always its own nearest: others may be equal to it
    own = rows == np.arange(len(vectors))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(vectors), rows.shape[1] - 1)
    return distances[~own].reshape(shape), rows[~own].reshape(shape)


def places_of(vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For each vector (n, d) the position of the first equal one in `known` (m, d), (n,) int64; -1 if there is none."""
    theirs, ours = _fingerprints(known), _fingerprints(vectors)
    order = np.argsort(theirs, kind="stable")
    found = order[np.minimum(np.searchsorted(theirs, ours, sorter=order), len(known) - 1)]
    return np.where((known[found] == vectors).all(axis=1), found, -1)


def vote(rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """For each query the share of its neighbours `rows` (n, k) in each class, (n, classes), float32; `classes`
    (vectors,) are numbers from 0."""
    shares = np.zeros((len(rows), int(classes.max()) + 1), np.float32)
    np.add.at(shares, (np.repeat(np.arange(len(rows)), rows.shape[1]), classes[rows].ravel()), 1 / rows.shape[1])
    return shares


def _fingerprints(vectors: np.ndarray) -> np.ndarray:
    """A number for each vector, the same for equal ones: a sum of its bits times odd numbers, modulo 2⁶⁴."""
    bits = np.ascontiguousarray(vectors + np.float32(0), np.float32).view(np.uint32)  # + 0: -0.0 equals 0.0
    factors = 2 * np.random.default_rng(0).integers(2**63, size=(1, bits.shape[1]), dtype=np.uint64) + np.uint64(1)
    total = np.zeros(len(bits), np.uint64)
    for column, factor in zip(bits.T, factors[0], strict=True):
        total += column * factor
    return total


def _at_once(queries: int) -> Iterator[slice]:
    return (slice(start, start + QUERIES_AT_ONCE) for start in range(0, queries, QUERIES_AT_ONCE))


def faiss_for_many() -> Any:
    """The module, set so that it compares many queries at a time."""
    import faiss

    # faiss 1.15 uses matrix products only from 128,000 queries on, which made a search take ten times as long
    faiss.cvar.distance_compute_blas_threshold = 20
    return faiss
