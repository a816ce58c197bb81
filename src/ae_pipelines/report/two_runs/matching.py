"""Which sample, which group and which place of one run is which of the other's."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.options import GIVE, WITH
from ae_pipelines.samples.store import Samples

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
    """Rows in this run of samples that only it has."""
    only_there: np.ndarray
    """Rows in the other run of samples that only that has."""
    changed: np.ndarray
    """Rows in this run of ids that both have, for different content; these are no samples of both."""

    def __len__(self) -> int:
        return len(self.here)


def matched_samples(here: Results, there: Results) -> Matched:
    """The samples that both runs have: the same id and the same content. `InputError` if there are none.

    Ids and contents are compared by hashes of 64 bits: among ten million samples two are taken for one with a
    probability of 5 in a million.
    """
    (ids, contents), (other_ids, other_contents) = _hashes(here.samples), _hashes(there.samples)
    order = np.argsort(other_ids, kind="stable")
    rows = order[np.minimum(np.searchsorted(other_ids, ids, sorter=order), len(order) - 1)]
    found = other_ids[rows] == ids
    mine, theirs = np.flatnonzero(found), rows[found]
    same = contents[mine] == other_contents[theirs]
    if not same.any():
        raise InputError(_nothing_in_common(here, there, len(mine)), options=GIVE)
    only_there = np.ones(len(other_ids), bool)
    only_there[theirs] = False
    return Matched(mine[same], theirs[same], np.flatnonzero(~found), np.flatnonzero(only_there), mine[~same])


def _hashes(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Of each sample's id and of its content, (n,), uint64."""
    ids, contents = np.empty((2, len(samples)), np.uint64)
    start = 0
    for batch in samples.index_batches("sample_id", "sha256"):
        rows = slice(start, start := start + len(batch))
        for column, found in zip(batch.columns, (ids, contents), strict=True):
            found[rows] = pd.util.hash_array(np.array(column.to_pylist(), object), categorize=False)
    return ids, contents


def _nothing_in_common(here: Results, there: Results, same_ids: int) -> str:
    sources = " and ".join(f"{len(side.samples):,} of {side.samples.manifest.source}" for side in (here, there))
    why = f"{same_ids:,} ids are the same, but their content is not" if same_ids else "no id is the same"
    return f"{WITH}: the two runs have no sample in common, {sources}: {why}; give two runs on the same data"


def matched_groups(ours: np.ndarray, theirs: np.ndarray) -> dict[int, int]:
    """For each group of `theirs` the group of `ours` that it goes with, one to one, so that as many samples as can be
    are in groups that go together (Kuhn 1955); noise goes with noise.

    Numbers of groups mean nothing from run to run. A group that goes with none has a number below -1.
    """
    from scipy.optimize import linear_sum_assignment

    (their_numbers, their_names), (our_numbers, our_names) = (pd.factorize(side, sort=True) for side in (theirs, ours))
    pairs = np.bincount(their_numbers * len(our_names) + our_numbers, minlength=len(their_names) * len(our_names))
    counts = pd.DataFrame(pairs.reshape(len(their_names), -1), index=their_names, columns=our_names)
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
