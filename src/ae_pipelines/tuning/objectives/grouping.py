"""Groups that stay."""

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective

GROUPS = 30
FEWEST_IN_A_GROUP = 4
"""On average: with fewer samples, there are fewer groups."""
RESTARTS = 3


@OBJECTIVES.register("grouping")
class Grouping(Objective):
    """Share of the samples that judge that stay in their group, of 30 that k-means finds among their latents, when they
    are changed harmlessly (moved and turned a little, or a few of their values replaced); between 0 and 1.

    Stability as a criterion is that of Ben-Hur et al. 2002, with corruptions in place of subsamples. Misleading like
    `overlap`, and where few directions make groups that nothing moves: two clear blobs are stable and may be of no use.
    """

    name = "grouping"
    higher_is_better = True
    title = "samples that stay in their group under a harmless corruption"
    misleads = "favours latents of few, coarse groups, and recipes that learn to undo just this corruption"

    def measures(self, judged: Judged) -> dict[str, float]:
        from sklearn.cluster import KMeans

        clean, corrupted = judged.both_ways.clean, judged.both_ways.corrupted
        number = max(1, min(GROUPS, len(clean) // FEWEST_IN_A_GROUP))
        groups = KMeans(number, n_init=RESTARTS, random_state=judged.seed).fit(clean)
        return {self.name: float((groups.predict(corrupted) == groups.predict(clean)).mean())}
