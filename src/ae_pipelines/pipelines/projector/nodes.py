"""Latents become files for TensorBoard's embedding projector."""

from typing import Any

import pandas as pd

from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.projector import Projector, ProjectorOptions
from ae_pipelines.samples.store import Samples


def project(latents: Latents, samples: Samples, options: ProjectorOptions, clusters: pd.DataFrame | None = None) -> Any:
    """What TensorBoard shows of the latents; with groups, where they have been found."""
    provenance.refuse_other_samples(latents, samples)
    groups = None if clusters is None else clusters["cluster"].to_numpy()
    return Projector(latents, samples, groups, options)
