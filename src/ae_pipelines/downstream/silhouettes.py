"""How far apart groups are: the silhouette, over a sample."""

import numpy as np

from ae_pipelines.base.part_files import ROWS_AT_ONCE

SAMPLED_ROWS = 10_000
"""The silhouette is quadratic in rows: above this many it is taken over a random sample."""
PERMUTED_ROWS = 1_000_000
"""Up to so many rows the sample is drawn by putting all in a random order; above, memory does not grow with them."""


def of_sample(vectors: np.ndarray, clusters: np.ndarray, seed: int = 0) -> float:
    """The silhouette of `sampled_rows`."""
    rows = sampled_rows(clusters, seed)
    return silhouette(vectors[rows], clusters[rows])


def sampled_rows(clusters: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions of at most `SAMPLED_ROWS` random rows, without noise, and of a row of each group."""
    draw, number = np.random.default_rng(seed), len(clusters)
    some = draw.permutation(number) if number <= PERMUTED_ROWS else draw.choice(number, SAMPLED_ROWS, replace=False)
    rows = np.union1d(some[:SAMPLED_ROWS], _first_rows(clusters))
    return rows[clusters[rows] >= 0]


def silhouette(vectors: np.ndarray, clusters: np.ndarray) -> float:
    """How much nearer vectors (n, d) are to their own group than to the next (Rousseeuw 1987); NaN for fewer than two
    groups, or as many as vectors."""
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(clusters)) < len(clusters):
        return float("nan")
    with config_context(working_memory=64):  # MB; the default of 1 GB is more than the rest of a run takes
        return float(silhouette_score(vectors, clusters))


def _first_rows(clusters: np.ndarray) -> np.ndarray:
    """The first row of each group, in any order."""
    first = np.full(2 + int(clusters.max(initial=-1)), len(clusters))
    for start in range(0, len(clusters), ROWS_AT_ONCE):
        groups, rows = np.unique(clusters[start : start + ROWS_AT_ONCE], return_index=True)
        first[groups + 1] = np.minimum(first[groups + 1], start + rows)
    return first[first < len(clusters)]
