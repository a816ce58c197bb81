"""Latents laid out so that near ones stay near and groups are separated."""

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from types import ModuleType

import numpy as np

from ae_pipelines.downstream.nearest import Index, rows_of

PLACED_BY = 5
"""Number of neighbours whose mean place is given to a vector that is not laid out itself."""


def umap_of(vectors: np.ndarray, *, components: int, neighbours: int, seed: int, min_dist: float = 0.0) -> np.ndarray:
    """UMAP of vectors (n, d) as (n, components), float32 (McInnes, Healy & Melville 2018).

    Uses one thread, so that the same seed gives the same picture. Only these rows are laid out: others are placed by
    their neighbours.
    """
    umap = umap_kept_compiled()
    neighbours, start = min(neighbours, len(vectors) - 1), "spectral"
    if len(vectors) <= components + 1:  # too few for eigenvectors
        start = "random"
    layout = umap.UMAP(
        n_neighbors=neighbours, min_dist=min_dist, n_components=components, init=start, random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own numba code, and about disconnected parts of the graph
        return layout.fit_transform(np.ascontiguousarray(vectors, np.float32)).astype(np.float32)


@cache
def umap_kept_compiled() -> ModuleType:
    """umap, whose functions numba keeps once it has compiled them, beside umap, in the user's cache, or where
    `NUMBA_CACHE_DIR` says. umap itself has them compiled in every process, which takes longer than a layout of some
    thousand rows; the machine code is the same. Where nothing can be written they are compiled as before.
    """
    import umap
    from numba.core.dispatcher import Dispatcher

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != umap.__name__:
            continue
        for function in vars(module).values():
            if isinstance(function, Dispatcher) and function.py_func.__module__ == name and not function.signatures:
                with suppress(RuntimeError):  # numba finds no folder to write to
                    function.enable_caching()
    return umap


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
