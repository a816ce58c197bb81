"""Neighbours that stay, and effective rank, together."""

import math

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective
from ae_pipelines.tuning.objectives.rankme import rankme


@OBJECTIVES.register("overlap_rankme")
class OverlapRankMe(Objective):
    """`overlap` times the square root of `rankme`.

    Each alone has a way to be high for nothing, a single robust latent or noise of many directions, which the other
    does not share. The root is there since `rankme` differs by powers of ten and mostly follows the latent size, while
    twice the overlap is a great deal (`benchmarks/objectives.py` compares).
    """

    name = "overlap_rankme"
    higher_is_better = True
    title = "neighbours that stay, times the root of the effective rank"
    misleads = (
        "still rises with the latent size, and favours recipes that learn to undo the very changes that it judges by"
    )

    def measures(self, judged: Judged) -> dict[str, float]:
        overlap, rank = judged.both_ways.overlap, rankme(judged.vectors)
        return {self.name: overlap * math.sqrt(rank), "overlap": overlap, "rankme": rank}
