"""Length of latents."""

from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective


@OBJECTIVES.register("latent_size")
class LatentSize(Objective):
    """How many numbers a latent vector has; fewer are cheaper to keep and to search. Misleading alone: it is for a
    second objective beside another."""

    name = "latent_size"
    higher_is_better = False
    title = "numbers in a latent vector"
    misleads = "the smallest latents are those that keep nothing: give it beside another objective"

    def measures(self, judged: Judged) -> dict[str, float]:
        return {self.name: float(judged.latents.size)}
