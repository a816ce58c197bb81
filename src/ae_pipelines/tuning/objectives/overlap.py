"""Neighbours that stay."""

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective


@OBJECTIVES.register("overlap")
class Overlap(Objective):
    """Share of a sample's ten nearest neighbours among the latents that judge that stay when it is changed harmlessly
    (moved and turned a little, or a few of its values replaced); between 0 and 1.

    Misleading where the change is not harmless for what latents are wanted for, and for methods that learn to undo this
    very change: they score high whatever else they tell apart.
    """

    name = "overlap"
    higher_is_better = True
    title = "neighbours that stay under a harmless corruption"
    misleads = (
        "misleads where moving, turning or replacing a little is not harmless for your purpose, and favours recipes "
        "that learn to undo just that"
    )

    def measures(self, judged: Judged) -> dict[str, float]:
        return {self.name: judged.both_ways.overlap}
