"""What is in groups: how many rows, which labels, and the samples at their centres."""

import numpy as np
import pandas as pd

from ae_pipelines.base.part_files import ROWS_AT_ONCE
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import contingency, intervals
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

SHOWN_GROUPS = 20
SHOWN_SAMPLES = 12


def cluster_sizes(latents: Latents, clusters: Table) -> pd.DataFrame:
    """One row per group, noise (-1) first: `size`, `share` of all rows, `mean_distance` to the centre, how many rows
    are `labelled`, the commonest `label` among these and its share of them, `purity`, with the bounds of its 95 %
    interval, `purity_low` and `purity_high`."""
    found, distances = clusters["cluster"].to_numpy(), clusters["distance"].to_numpy()
    sizes, sums = _sums(found, distances)
    there = np.flatnonzero(sizes)  # the first is noise
    table = pd.DataFrame(index=pd.Index((there - 1).astype(found.dtype), name="cluster"))
    table["size"] = sizes[there]
    table["share"] = table["size"] / len(found)
    table["mean_distance"] = (sums[there] / sizes[there]).astype(distances.dtype)
    counts = pd.DataFrame(contingency.counted(latents.labels, found).T[there], table.index, latents.labels.names)
    table["labelled"] = counts.sum(axis=1)
    known = table["labelled"] > 0
    table["label"] = pd.Series(counts[known].idxmax(axis=1) if known.any() else None, table.index, dtype="str")
    table["purity"] = counts.max(axis=1) / table["labelled"].where(known)
    ends = [intervals.proportion(*row) for row in table.loc[known, ["purity", "labelled"]].itertuples(index=False)]
    for place, bound in enumerate(intervals.BOUNDS):
        table[f"purity_{bound}"] = pd.Series([end[place] for end in ends], table.index[known], dtype=float)
    return table.reset_index()


def _sums(clusters: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many rows each group has, noise first, and the sum of their distances, in float64."""
    sizes, sums = np.zeros((2, 2 + int(clusters.max(initial=-1))))
    for start in range(0, len(clusters), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        sizes += np.bincount(clusters[part] + 1, minlength=len(sizes))
        sums += np.bincount(clusters[part] + 1, distances[part], minlength=len(sizes))
    return sizes.astype(int), sums


def nearest_samples(samples: Samples, clusters: Table) -> dict[int, np.ndarray]:
    """For each of the `SHOWN_GROUPS` largest groups the samples nearest to its centre, nearest first, at most
    `SHOWN_SAMPLES`, (count, *shape), float32, as a model gets them; noise is not a group."""
    rows = nearest_rows(clusters["cluster"].to_numpy(), clusters["distance"].to_numpy())
    shown = np.concatenate([*rows.values(), np.array([], int)])
    places = pd.Series(samples.rows_of(clusters.take(shown)["sample_id"]), shown)
    found = {group: places.loc[these].to_numpy() for group, these in rows.items()}
    return {group: samples.spec.as_input(samples.take(these[these >= 0])) for group, these in found.items()}


def nearest_rows(clusters: np.ndarray, distances: np.ndarray) -> dict[int, np.ndarray]:
    """For each of the largest groups the rows nearest to its centre, nearest first."""
    sizes = _sums(clusters, distances)[0][1:]
    largest = [int(group) for group in np.argsort(-sizes, kind="stable")[:SHOWN_GROUPS] if sizes[group]]
    near = np.full(len(sizes) + 1, -np.inf)  # rows nearer than this may be shown; the last is noise, -1
    near[largest], kept = np.inf, np.empty(0, int)
    for start in range(0, len(clusters), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = np.append(kept, start + np.flatnonzero(distances[part] < near[clusters[part]]))
        rows = rows[np.lexsort((rows, distances[rows], clusters[rows]))]
        groups, first, counts = np.unique(clusters[rows], return_index=True, return_counts=True)
        kept = rows[np.arange(len(rows)) - np.repeat(first, counts) < SHOWN_SAMPLES]
        full = counts >= SHOWN_SAMPLES
        near[groups[full]] = distances[rows[first[full] + SHOWN_SAMPLES - 1]]
    return {group: kept[clusters[kept] == group] for group in sorted(largest)}
