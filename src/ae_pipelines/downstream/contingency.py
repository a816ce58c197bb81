"""How groups agree with labels, from the numbers of rows in both: work and memory of text for every row is spared."""

import numpy as np

from ae_pipelines.base.part_files import ROWS_AT_ONCE
from ae_pipelines.downstream import intervals
from ae_pipelines.latents.labels import Labels


def counted(labels: Labels, clusters: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Labelled rows of each class in each group, (classes, 1 + groups), int64; the first column is noise, -1. `rows`,
    a bool per row, are those that count."""
    groups = 2 + int(clusters.max(initial=-1))
    counts = np.zeros(len(labels.names) * groups, np.int64)
    for start in range(0, len(clusters), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        known = labels.codes[part] >= 0 if rows is None else (labels.codes[part] >= 0) & rows[part]
        cells = labels.codes[part][known].astype(np.int64) * groups + clusters[part][known] + 1
        counts += np.bincount(cells, minlength=len(counts))
    return counts.reshape(-1, groups)


def agreement(counts: np.ndarray) -> dict[str, float]:
    """What `clustering.cluster_metrics` says about labels, of `counted` rows, of which there are some."""
    rows = int(counts.sum())
    metrics = {
        "accuracy": accuracy(counts, matched(counts)),
        "nmi": float(np.clip(intervals.nmi(counts), 0, 1)),  # but for rounding
        "ari": float(intervals.ari(counts)),
        "labelled_rows": float(rows),
        "majority": float(counts.sum(axis=1).max() / rows),
    }
    found = {"accuracy": intervals.proportion(metrics["accuracy"], rows), **intervals.agreement(counts)}
    return metrics | {key: end for name, ends in found.items() for key, end in intervals.bounds(name, ends).items()}


def matched(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and columns of `counts` that belong together under the best one-to-one matching (Kuhn 1955) of those that
    have rows; noise is matched to none."""
    from scipy.optimize import linear_sum_assignment

    classes = np.flatnonzero(counts.any(axis=1))
    groups = 1 + np.flatnonzero(counts[:, 1:].any(axis=0))
    found, places = linear_sum_assignment(counts[np.ix_(classes, groups)], maximize=True)
    return classes[found], groups[places]


def accuracy(counts: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of the counted rows whose group is matched to their class."""
    return float(counts[pairs].sum() / counts.sum())
