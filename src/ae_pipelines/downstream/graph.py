"""Which vectors are near each other, as a sparse matrix."""

from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.downstream.nearest import nearest_others

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def affinity(vectors: np.ndarray, neighbours: int) -> "csr_matrix":
    """Affinity of neighbouring vectors (n, d): (n, n), symmetric, float32, zero on the diagonal.

    w = exp(-4 d² / d_k²), where d_k is the distance to a vector's k-th nearest other one, so that dense and sparse
    regions weigh the same (Zelnik-Manor & Perona 2004; the factor of Calder et al. 2020); symmetrised by the larger of
    the two. `neighbours` is k, at most n - 1.
    """
    from scipy.sparse import csr_matrix

    distances, rows = nearest_others(vectors, min(neighbours, len(vectors) - 1))
    reach = np.maximum(distances[:, -1:], np.finfo(np.float32).tiny)
    weights = np.exp(-4 * np.square(distances / reach)).astype(np.float32)
    starts = np.arange(0, rows.size + 1, rows.shape[1])
    one_way = csr_matrix((weights.ravel(), rows.ravel(), starts), (len(vectors), len(vectors)))
    return csr_matrix(one_way.maximum(one_way.T))
