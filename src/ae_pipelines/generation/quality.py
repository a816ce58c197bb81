"""How good new samples are, as numbers."""

from collections.abc import Iterator

import numpy as np

from ae_pipelines.downstream.nearest import nearest_others

BLOCK = 1000
"""Rows that are compared with all others at once."""
NEIGHBOURS_OF_RECALL = 3
"""k of Kynkäänniemi et al. 2019."""
NEIGHBOURS_OF_COVERAGE = 5
"""k of Naeem et al. 2020."""


def quality(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Quality of made samples, by features (n, f) of them and (m, f) of real ones.

    `precision`: share of the made ones in a ball of a real one, `recall`: share of the real ones in a ball of a made
    one (Kynkäänniemi et al. 2019, eq. 1 and 2); `density`: how many real balls a made one lies in, divided by k,
    `coverage`: share of the real balls in which a made one lies (Naeem et al. 2020, section 3). A sample's ball reaches
    to the k-th nearest other sample of its set.
    """
    radii = nearest_others(real, NEIGHBOURS_OF_COVERAGE)[0]
    of_real, of_made = radii[:, NEIGHBOURS_OF_RECALL - 1], nearest_others(made, NEIGHBOURS_OF_RECALL)[0][:, -1]
    covered, density = np.zeros(len(real), bool), 0.0
    for inside in _inside(made, real, radii[:, -1]):
        covered |= inside.any(axis=0)
        density += float(inside.sum())
    return {
        "precision": _share_in_any(made, real, of_real),
        "recall": _share_in_any(real, made, of_made),
        "density": density / NEIGHBOURS_OF_COVERAGE / len(made),
        "coverage": float(covered.mean()),
    }


def _share_in_any(points: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> float:
    return float(np.concatenate([inside.any(axis=1) for inside in _inside(points, centres, radii)]).mean())


def _inside(points: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> Iterator[np.ndarray]:
    """Which points (n, f) lie in which balls (m,), some points at a time: (some, m)."""
    points, centres = points.astype(np.float64), centres.astype(np.float64)
    squares = np.square(centres).sum(axis=1)
    reach = np.square(radii.astype(np.float64)) + 1e-6 * squares.mean()  # radii come in single precision
    for start in range(0, len(points), BLOCK):
        some = points[start : start + BLOCK]
        yield np.square(some).sum(axis=1)[:, None] - 2 * some @ centres.T + squares <= reach
