"""Latents laid out so that near ones stay near and groups are separated."""

import warnings
from collections.abc import Callable, Iterable

import numpy as np

from ae_pipelines.downstream.nearest import Index, rows_of

PLACED_BY = 5
"""Number of neighbours whose mean place is given to a vector that is not laid out itself."""


def umap_of(vectors: np.ndarray, *, components: int, neighbours: int, seed: int, min_dist: float = 0.0) -> np.ndarray:
    """UMAP of vectors (n, d) as (n, components), float32 (McInnes, Healy & Melville 2018).

    Uses one thread, so that the same seed gives the same picture. Only these rows are laid out: others are placed by
    their neighbours.
    """
    from umap import UMAP

    neighbours, start = min(neighbours, len(vectors) - 1), "spectral"
    if len(vectors) <= components + 1:  # too few for eigenvectors
        start = "random"
    layout = UMAP(
        n_neighbors=neighbours, min_dist=min_dist, n_components=components, init=start, random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own numba code, and about disconnected parts of the graph
        return layout.fit_transform(np.ascontiguousarray(vectors, np.float32)).astype(np.float32)


def among_neighbours(
    pieces: Callable[[], Iterable[np.ndarray]], shown: np.ndarray, lay_out: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Places (n, components) of all vectors, float32: those at the positions `shown`, which ascend, as they are laid
    out, the others at the mean place of the nearest of these. `pieces` gives all vectors, consecutive ones (m, d) at a
    time, and is called twice."""
    laid_out = np.concatenate(list(rows_of(pieces(), shown)))
    places, index, start = lay_out(laid_out).astype(np.float32), Index(laid_out), 0
    coordinates = []
    for piece in pieces():
        first, last = np.searchsorted(shown, (start, start + len(piece)))
        here = np.empty((len(piece), places.shape[1]), np.float32)
        here[shown[first:last] - start] = places[first:last]
        rest = np.setdiff1d(np.arange(len(piece)), shown[first:last] - start)
        here[rest] = places[index.nearest(piece[rest], PLACED_BY)[1]].mean(axis=1)
        coordinates.append(here)
        start += len(piece)
    return np.concatenate(coordinates)
