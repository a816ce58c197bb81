"""Assigns new vectors to the groups of their neighbours."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.clusterers import Grouping
from ae_pipelines.downstream.nearest import Index, places_of, vote

VOTERS = 10
ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class ByNeighbours:
    """Assigns a vector to the group of most of its `VOTERS` nearest reference vectors.

    A reference vector keeps its own group; where several are equal, that of the first.
    """

    reference: np.ndarray
    """(references, d), float32."""
    groups: np.ndarray
    """(references,), from 0; -1 for noise, which can win like any group."""

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Group (n,) of each vector (n, d), from 0; -1 for noise."""
        places = places_of(vectors, self.reference)
        groups = np.asarray(self.groups[places], np.int32)
        if (new := places < 0).any():
            groups[new] = self._by_vote(vectors[new])
        return groups

    def _by_vote(self, vectors: np.ndarray) -> np.ndarray:
        index, groups = Index(self.reference), np.empty(len(vectors), np.int32)
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            _, nearest = index.nearest(vectors[part], VOTERS)
            groups[part] = vote(nearest, self.groups + 1).argmax(axis=1) - 1
        return groups


def grouping(
    vectors: np.ndarray, groups: np.ndarray, space: np.ndarray, measures: dict[str, float] | None = None
) -> Grouping:
    """Vectors (n, d) in groups (n,) that were found in `space`; empty groups are left out."""
    some = groups >= 0
    groups = np.where(some, np.searchsorted(np.unique(groups[some]), groups), -1).astype(np.int32)
    return Grouping(groups, _means(vectors, groups), space, ByNeighbours(vectors, groups), measures or {})


def _means(vectors: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Mean of the vectors (n, d) in each group, (groups, d), float32; noise, -1, belongs to none."""
    from scipy.sparse import csr_matrix

    rows = np.flatnonzero(groups >= 0)
    sizes = np.bincount(groups[rows])
    belongs = csr_matrix((np.ones(len(rows)), (groups[rows], rows)), (len(sizes), len(vectors)))
    return np.asarray(belongs @ vectors / sizes[:, None], np.float32)
