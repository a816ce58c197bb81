"""Latents become files for TensorBoard's embedding projector."""

import logging

from ae_pipelines.base.tables import Table
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.projector import Projector, ProjectorOptions
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def project(latents: Latents, samples: Samples, options: ProjectorOptions, clusters: Table | None = None) -> Projector:
    """What TensorBoard shows of the latents; with groups, where they were found in these."""
    provenance.refuse_other_samples(latents, samples)
    if clusters is not None and not _are_of(clusters, latents):
        log.warning("projector: without groups, since those that are there are of other latents: run cluster again")
        clusters = None
    return Projector(latents, samples, None if clusters is None else clusters["cluster"].to_numpy(), options)


def _are_of(clusters: Table, latents: Latents) -> bool:
    """Whether groups were found in these latents; the model of groups knows, too, but reading it takes seconds. Tables
    of former versions do not say."""
    same_encoder = clusters.attrs.get("encoder", latents.encoder) == latents.encoder
    return same_encoder and provenance.are_of(clusters, latents)
