"""Time."""

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective


@OBJECTIVES.register("seconds")
class Seconds(Objective):
    """Seconds of training on the samples of the study. Misleading alone, and where trials share the processors with
    other work: it is for a second objective beside another."""

    name = "seconds"
    higher_is_better = False
    title = "seconds of training"
    misleads = "the fastest training is the one that learns nothing: give it beside another objective"

    def measures(self, judged: Judged) -> dict[str, float]:
        return {self.name: float(judged.seconds)}
