"""Latents in the plane, by several layouts."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from ae_pipelines.downstream.manifold import among_neighbours, umap_of
from ae_pipelines.latents.file import Latents

log = logging.getLogger(__name__)

LayoutName = Literal["umap", "tsne", "pca"]
AS_THEY_ARE = "latents"
"""The layout of latents that have two dimensions anyway."""
IN_WORDS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA", AS_THEY_ARE: "the two dimensions"}
"""What people call a layout."""
UMAP_ROWS, TSNE_ROWS = 20_000, 3_000
"""Most rows that are laid out, picked at random; the others are placed by their neighbours."""
UMAP_NEIGHBOURS = 15
MIN_DIST = 0.1
"""How near UMAP puts points; more than where groups are looked for, since points that are seen must not lie on each
other."""
PERPLEXITY = 30.0
FEW_DIMENSIONS = 512
"""Up to so many all principal components are found, of which two are taken; the time it takes grows with their cube."""
FEWEST = 5
"""With fewer rows there are no neighbours to lay out."""


def plane(latents: Latents, layouts: Sequence[LayoutName], most: int, seed: int) -> pd.DataFrame:
    """Where samples lie in the plane: `sample_id`, and `<layout>_x` and `<layout>_y`, float32, for each layout.

    Above `most` latents a random sample of them, in their order. Latents of two dimensions are taken as they are, as
    the only layout, `latents`.
    """
    rows = np.arange(min(len(latents), most))
    if len(latents) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(latents), most, replace=False))
    vectors = latents.at(rows)
    columns = {"sample_id": latents.ids_at(rows)}
    for name in [AS_THEY_ARE] if latents.size == 2 else layouts:
        places = placed(vectors, name, seed)
        columns |= {f"{name}_x": places[:, 0], f"{name}_y": places[:, 1]}
    return pd.DataFrame(columns).astype({"sample_id": "str"})


def layouts_of(table: pd.DataFrame) -> list[str]:
    """Names of the layouts in a table that `plane` made, in its order."""
    return [str(name).removesuffix("_x") for name in table if str(name).endswith("_x")]


def places_in(table: pd.DataFrame, layout: str) -> np.ndarray:
    """Places (n, 2) of a layout in such a table."""
    return table[[f"{layout}_x", f"{layout}_y"]].to_numpy(np.float32)


def placed(vectors: np.ndarray, layout: str, seed: int) -> np.ndarray:
    """Vectors (n, d) as points (n, 2), float32, by a layout; the same seed gives the same points."""
    if layout == AS_THEY_ARE:
        return vectors.astype(np.float32)
    if layout == "pca" or len(vectors) < FEWEST or not np.ptp(vectors, axis=0).any():
        return _principal(vectors)
    find, most = FOUND_BY[layout]
    shown = np.random.default_rng(seed).permutation(len(vectors))[:most]
    log.info("laying out %s of %s latents by %s", f"{len(shown):,}", f"{len(vectors):,}", layout)
    return among_neighbours(lambda: [vectors], np.sort(shown), lambda some: find(some, seed))


def _umap(vectors: np.ndarray, seed: int) -> np.ndarray:
    return umap_of(vectors, components=2, neighbours=UMAP_NEIGHBOURS, seed=seed, min_dist=MIN_DIST)


def _tsne(vectors: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE (van der Maaten & Hinton 2008; Barnes-Hut)."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, max(1.0, (len(vectors) - 1) / 3))
    start = "pca" if vectors.shape[1] > 1 else "random"
    # In a run it had more threads than were asked for, and each takes a core while it waits for the others.
    with threadpool_limits(_threads_asked_for(), user_api="openmp"):
        return TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(vectors)


def _threads_asked_for() -> int | None:
    """What `OMP_NUM_THREADS` says; None: nothing, so that the number stays."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) > 0 else None


def _principal(vectors: np.ndarray) -> np.ndarray:
    """The first two principal components; 0 where there are fewer."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    axes = _axes_of_few(centred) if centred.shape[1] <= FEW_DIMENSIONS else _axes_of_many(centred)
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1)  # one sign everywhere
    places = centred @ axes
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))).astype(np.float32)


def _axes_of_few(centred: np.ndarray) -> np.ndarray:
    _, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, ::-1][:, :2]


def _axes_of_many(centred: np.ndarray) -> np.ndarray:
    """The first two only, without a covariance of all pairs of dimensions."""
    from scipy.sparse.linalg import svds

    if not centred.any():
        return np.eye(centred.shape[1], 2)
    if min(centred.shape) <= 2:
        return np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return svds(centred, k=2, rng=0)[2][::-1].T


FOUND_BY: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], int]] = {
    "umap": (_umap, UMAP_ROWS),
    "tsne": (_tsne, TSNE_ROWS),
}
"""How each layout is found, and of how many rows at most."""
