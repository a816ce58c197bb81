"""Within which bounds a measure on few rows may lie: 95 % confidence intervals."""

from collections.abc import Mapping
from math import comb, sqrt

import numpy as np

Interval = tuple[float, float]

BOUNDS = ("low", "high")
"""What follows the name of a measure in the names of its bounds: `accuracy_low`."""
FEW = 30
"""With fewer rows the bounds say more than the measure."""
Z = 1.959963984540054
"""The normal quantile of 97.5 %."""
RESAMPLES = 200
TINY = 1e-12
"""An area of 0 or 1 solves the equation for its bounds too, but is not the bound that is looked for."""


def bounds(name: str, interval: Interval | None) -> dict[str, float]:
    """The bounds of a measure as metrics; none where there is no interval."""
    return {} if interval is None else {f"{name}_{bound}": value for bound, value in zip(BOUNDS, interval, strict=True)}


def proportion(share: float, rows: float) -> Interval:
    """Of a share of `rows` independent rows: Wilson 1927's score interval, without correction for continuity.

    Where each row counts by a number between 0 and 1, whose mean is the share, it is wider than needed, as no such
    number varies more than one of 0 and 1.
    """
    centre = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)  # exactly, not but for rounding


def auroc(area: float, negative: int, positive: int) -> Interval:
    """Of an area under the ROC curve over so many rows of either kind: Newcombe 2006 (part 2), method 5.

    Both ends θ solve |area - θ| = Z √V(θ) with the variance of Hanley & McNeil 1982. Unlike resampling, it does not
    call it certain where a few rows happen to be told apart without fault.
    """
    from scipy.optimize import brentq

    def excess(theta: float, sign: int) -> float:
        return sign * (theta - area) - Z * sqrt(_auroc_variance(theta, negative, positive))

    low = 0.0 if area <= 0 else brentq(excess, 0.0, min(area, 1 - TINY), args=(-1,))
    high = 1.0 if area >= 1 else brentq(excess, max(area, TINY), 1.0, args=(1,))
    return float(low), float(high)


def _auroc_variance(theta: float, negative: int, positive: int) -> float:
    """θ(1-θ)(1 + N(1-θ)/(2-θ) + Nθ/(1+θ))/mn, with N = (m + n)/2 - 1 in place of both m - 1 and n - 1."""
    mean = (negative + positive) / 2 - 1
    spread = 1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta)
    return max(0.0, theta * (1 - theta)) * spread / (negative * positive)


def agreement(counts: np.ndarray, seed: int = 0) -> dict[str, Interval]:
    """Of `nmi` and `ari` between two groupings with these `counts` (n, m) of rows in both, by the bootstrap (Efron
    1979, percentiles).

    Rows that are drawn again are counts that are drawn again, so the work does not grow with their number. A measure
    that is the same in all draws, as where both groupings agree in every row, has no interval.
    """
    draw, cells, total = np.random.default_rng(seed), np.nonzero(counts), int(counts.sum())
    found: dict[str, list[float]] = {"nmi": [], "ari": []}
    for drawn in draw.multinomial(total, counts[cells] / total, RESAMPLES):
        again = np.zeros_like(counts)
        again[cells] = drawn
        found["nmi"].append(nmi(again))
        found["ari"].append(ari(again))
    return {name: interval for name, values in found.items() if (interval := _percentiles(values))}


def nmi(counts: np.ndarray) -> float:
    """Mutual information over the mean of both entropies, of counts (n, m) of rows in both groupings."""
    joint = counts / counts.sum()
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    mean = (_entropy(rows) + _entropy(columns)) / 2
    return 1.0 if mean == 0 else (2 * mean - _entropy(joint.ravel())) / mean


def ari(counts: np.ndarray) -> float:
    """The Rand index, adjusted for chance (Hubert & Arabie 1985), of counts (n, m) of rows in both groupings."""
    both, rows, columns = (_pairs(part) for part in (counts, counts.sum(axis=1), counts.sum(axis=0)))
    expected, most = rows * columns / max(1, comb(int(counts.sum()), 2)), (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def average_precision(normal: np.ndarray, odd: np.ndarray, seed: int = 0) -> Interval | None:
    """Of the average precision with which higher scores tell odd rows from normal ones, by the bootstrap, drawn from
    each kind by itself; None where all draws give the same."""
    draw = np.random.default_rng(seed)
    scores, truth = np.concatenate([normal, odd]), np.repeat([0, 1], [len(normal), len(odd)])
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # equal scores have one threshold
    values = []
    for _ in range(RESAMPLES):
        times = np.concatenate([np.bincount(draw.integers(n, size=n), minlength=n) for n in (len(normal), len(odd))])
        right, all_found = (np.cumsum(part[order])[ends] for part in (times * truth, times))
        values.append(float((np.diff(right, prepend=0) * right / np.maximum(all_found, 1)).sum() / right[-1]))
    return _percentiles(values)


def difference(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Of `first - second`, from the bounds of both, which were measured apart: MOVER (Zou & Donner 2008; for shares
    Newcombe 1998, method 10).

    Where both were measured on the same rows it is wider than needed, as they err together.
    """
    gap, (low, high), (other_low, other_high) = first - second, of_first, of_second
    below, above = (
        sqrt((first - low) ** 2 + (other_high - second) ** 2),
        sqrt((high - first) ** 2 + (second - other_low) ** 2),
    )
    return gap - below, gap + above


def few(name: str, metrics: Mapping[str, float], rows: int) -> str | None:
    """A sentence of caution for a measure on few rows; None for one on enough."""
    if rows >= FEW:
        return None
    low, high = (metrics[f"{name}_{bound}"] for bound in BOUNDS)
    return f"{name} {metrics[name]:.3f} rests on {rows} rows only: with 95 % it lies between {low:.2f} and {high:.2f}"


def _percentiles(values: list[float]) -> Interval | None:
    if np.ptp(values) < 1e-9:  # the same, but for rounding
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _entropy(shares: np.ndarray) -> float:
    """In nats; whatever the order of the shares, so that two groupings that agree do so exactly."""
    positive = np.sort(shares[shares > 0])
    return float(-(positive * np.log(positive)).sum())


def _pairs(counts: np.ndarray) -> float:
    """Number of pairs of rows within each count, summed."""
    whole = counts.astype(float)
    return float((whole * (whole - 1)).sum() / 2)
