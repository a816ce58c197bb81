"""Latents laid out so that near ones stay near and groups are separated."""

import warnings

import numpy as np


def umap_of(vectors: np.ndarray, *, components: int, neighbours: int, seed: int) -> np.ndarray:
    """UMAP of vectors (n, d) as (n, components), float32 (McInnes, Healy & Melville 2018), with `min_dist` 0.

    Uses one thread, so that the same seed gives the same picture. Only these rows are laid out: others are placed by
    their neighbours.
    """
    from umap import UMAP

    neighbours, start = min(neighbours, len(vectors) - 1), "spectral"
    if len(vectors) <= components + 1:  # too few for eigenvectors
        start = "random"
    layout = UMAP(
        n_neighbors=neighbours, min_dist=0.0, n_components=components, init=start, random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own numba code, and about disconnected parts of the graph
        return layout.fit_transform(np.ascontiguousarray(vectors, np.float32)).astype(np.float32)
