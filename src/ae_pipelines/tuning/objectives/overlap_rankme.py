"""Neighbours that stay, and effective rank, together."""

from collections.abc import Mapping, Sequence

import numpy as np

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective
from ae_pipelines.tuning.objectives.rankme import rankme


@OBJECTIVES.register("overlap_rankme")
class OverlapRankMe(Objective):
    """The place of a trial among all by `overlap` and by `rankme`, added: from 0, the worst in both, to 1.

    Each alone has a way to be high for nothing, a noisy latent of many directions or a single robust one, which the
    other does not share (`benchmarks/objectives.py` compares). What a trial is worth depends on the trials beside it:
    it is no measure to compare studies by.
    """

    name = "overlap_rankme"
    higher_is_better = True
    title = "neighbours that stay and effective rank, places added"
    misleads = "is a place among the trials of one study, so its values cannot be compared between studies"

    def measures(self, judged: Judged) -> dict[str, float]:
        return {"overlap": judged.both_ways.overlap, "rankme": rankme(judged.vectors)}

    def combined(self, found: Sequence[Mapping[str, float]]) -> list[float]:
        places = [shares_below([measures[name] for measures in found]) for name in ("overlap", "rankme")]
        return [float(place) for place in np.mean(places, axis=0)] if found else []


def shares_below(values: Sequence[float]) -> np.ndarray:
    """For each value the share of the others that are lower, equal ones counted half; ½ for a single one."""
    from scipy.stats import rankdata

    if len(values) < 2:
        return np.full(len(values), 0.5)
    return (rankdata(values) - 1) / (len(values) - 1)
