"""Lloyd's steps over vectors that come in pieces: memory does not grow with their number."""

import copy
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ae_pipelines.downstream.clusterers import Grouping

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Steps end where the squares by which all means would move are, in sum, less than this share of the mean variance of
a feature: scikit-learn's default, too."""


def refined(grouping: Grouping, pieces: Iterable[np.ndarray], most_steps: int) -> Grouping:
    """Groups around means that a KMeans of scikit-learn has found in a sample, after steps over all vectors.

    Each step (Lloyd 1982) is one pass over the pieces (rows, d), which moves means as it would with all vectors in
    memory, whatever their order. The last pass moves nothing and gives the `inertia` of all. A mean that is nearest to
    no vector stays.
    """
    model: Any = copy.copy(grouping.assigner)
    least, steps = TOLERANCE * grouping.space.var(axis=0).mean(), 0
    while True:
        found = _pass(model, pieces)
        moved = np.square(found.means - model.cluster_centers_).sum()
        if moved <= least or steps == most_steps:
            break
        model.cluster_centers_, steps = found.means, steps + 1
    log.info("means of groups after %d steps over all rows", steps)
    model.labels_, model.inertia_ = model.predict(grouping.space), found.inertia
    return replace(
        grouping,
        groups=model.labels_,
        centres=model.cluster_centers_,
        assigner=model,
        measures={"inertia": found.inertia},
    )


@dataclass(frozen=True)
class _Found:
    """What a pass has found."""

    means: np.ndarray
    """(groups, d), float32: mean of the vectors that are nearest to each centre."""
    inertia: float
    """Sum of squared distances to the centres."""


def _pass(model: Any, pieces: Iterable[np.ndarray]) -> _Found:
    centres = model.cluster_centers_
    sizes, sums, inertia = np.zeros(len(centres), int), np.zeros(centres.shape), 0.0
    for piece in pieces:
        if not len(piece):
            continue
        groups = model.predict(piece)
        sizes += np.bincount(groups, minlength=len(centres))
        sums += _sums(piece, groups, len(centres))
        away = piece - centres[groups]
        inertia += float(np.einsum("ij,ij->i", away, away).sum(dtype=np.float64))
    means = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return _Found(means.astype(centres.dtype), inertia)


def _sums(vectors: np.ndarray, groups: np.ndarray, number: int) -> np.ndarray:
    """Sum of the vectors (n, d) in each group, (number, d), float64."""
    from scipy.sparse import csr_matrix

    belongs = csr_matrix((np.ones(len(groups)), groups, np.arange(len(groups) + 1)), (len(groups), number))
    return np.asarray(belongs.T @ vectors)
