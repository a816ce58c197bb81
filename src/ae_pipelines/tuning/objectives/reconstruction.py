"""Reconstruction."""

from ae_pipelines.downstream.detection import normal_rows
from ae_pipelines.tuning.objectives import OBJECTIVES, Judged, Objective


@OBJECTIVES.register("reconstruction")
class Reconstruction(Objective):
    """Mean squared error per value of clean samples that judge, in units of the model's input; of normal ones, where
    the model learns from these alone.

    Right for restoring, generating and finding anomalies. Misleading for what stands on latents: larger latents
    reconstruct better, and over good recipes lower errors go with worse classifiers.
    """

    name = "reconstruction"
    higher_is_better = False
    title = "mean squared error of reconstructions"
    misleads = (
        "says how much of a sample is kept, not what of it matters: lower errors often go with worse classes and groups"
    )
    decodes = True

    def measures(self, judged: Judged) -> dict[str, float]:
        latents = judged.latents
        rows = latents.in_split("test") & normal_rows(latents)
        return {self.name: float(latents.column("reconstruction_error")[rows].astype("float64").mean())}
