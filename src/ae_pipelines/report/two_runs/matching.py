"""Which sample, which group and which place of one run is which of the other's."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.options import GIVE, WITH

NOISE = -1
UNMATCHED = -2
"""The number of a group of the other run that no group of this run goes with; others follow below it."""


@dataclass(frozen=True)
class Matched:
    """Samples of two runs, by their ids."""

    here: np.ndarray
    """Rows in this run of the samples that are in both, ascending."""
    there: np.ndarray
    """Rows of the same samples in the other run."""
    only_here: np.ndarray
    """Ids of samples that only this run has."""
    only_there: np.ndarray
    changed: np.ndarray
    """Ids that both have, for different content; these are no samples of both."""

    def __len__(self) -> int:
        return len(self.here)


def matched_samples(here: Results, there: Results) -> Matched:
    """The samples that both runs have: the same id and the same content. `InputError` if there are none."""
    ids, other_ids = pd.Index(here.ids), pd.Index(there.ids)
    rows = other_ids.get_indexer(ids)
    mine = np.flatnonzero(rows >= 0)
    theirs = rows[mine]
    same = _digests(here)[mine] == _digests(there)[theirs]
    if not same.any():
        raise InputError(_nothing_in_common(here, there, len(mine)), options=GIVE)
    only_there = np.setdiff1d(np.arange(len(other_ids)), theirs)
    return Matched(mine[same], theirs[same], here.ids[rows < 0], there.ids[only_there], here.ids[mine[~same]])


def _digests(results: Results) -> np.ndarray:
    return results.samples.index["sha256"].to_numpy(object)


def _nothing_in_common(here: Results, there: Results, same_ids: int) -> str:
    sources = (
        f"{len(here.ids):,} of {here.samples.manifest.source} and {len(there.ids):,} of {there.samples.manifest.source}"
    )
    why = f"{same_ids:,} ids are the same, but their content is not" if same_ids else "no id is the same"
    return f"{WITH}: the two runs have no sample in common, {sources}: {why}; give two runs on the same data"


def matched_groups(ours: np.ndarray, theirs: np.ndarray) -> dict[int, int]:
    """For each group of `theirs` the group of `ours` that it goes with, one to one, so that as many samples as can be
    are in groups that go together (Kuhn 1955); noise goes with noise.

    Numbers of groups mean nothing from run to run. A group that goes with none has a number below -1.
    """
    from scipy.optimize import linear_sum_assignment

    counts = pd.crosstab(theirs, ours)
    table = counts.drop(index=NOISE, columns=NOISE, errors="ignore")
    known = {NOISE: NOISE}
    for row, column in zip(*linear_sum_assignment(table.to_numpy(), maximize=True), strict=True):
        if table.iat[row, column]:
            known[int(table.index[row])] = int(table.columns[column])
    left = [int(group) for group in table.index if int(group) not in known]
    return known | {group: UNMATCHED - place for place, group in enumerate(left)}


def turned(places: np.ndarray, towards: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Places (n, 2) moved, turned, mirrored and scaled as a whole so that the rows `by` lie as near as can be to the
    same rows of `towards` (Schönemann 1966): which way up a layout lies means nothing."""
    from scipy.linalg import orthogonal_procrustes

    middle, aim = places[by].mean(axis=0), towards[by].mean(axis=0)
    spread = np.linalg.norm(places[by] - middle)
    if len(by) < 3 or not spread:
        return places
    turn, strength = orthogonal_procrustes(places[by] - middle, towards[by] - aim)
    return (places - middle) @ turn * (strength / spread**2) + aim
