"""Coordinates of samples among their neighbours: a UMAP of the samples that a model learns from."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ae_pipelines.base.options import Options
from ae_pipelines.downstream.manifold import among_neighbours, umap_of
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.latents.pca import pca_vectors
from ae_pipelines.latents.provenance import refuse_other_samples
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

MOST_ROWS = 100_000
"""UMAP lays out a random sample of at most this many rows; the others are placed by their neighbours."""


class LayoutOptions(Options):
    """How samples are laid out."""

    components: Annotated[int, Field(gt=0)]
    neighbours: Annotated[int, Field(gt=1)]
    principal_components: Annotated[int, Field(gt=0)]
    latents: Path | None = None
    """A latents file of the same samples, whose vectors are laid out instead of principal components."""

    def key(self) -> list[Any]:
        """Plain data on which a layout depends, besides samples and seed."""
        encoder = None if self.latents is None else LatentsFile(self.latents).encoder
        return [self.components, self.neighbours, self.principal_components, encoder]


def layout(samples: Samples, learned_from: LearnedFrom, options: LayoutOptions, seed: int) -> np.ndarray:
    """Coordinates (n, components) of all samples, float32, with mean 0 and standard deviation 1 over all coordinates.

    UMAP sees only samples that the model learns from; the others (held out, test) are placed at the mean of their
    nearest ones, so that a model can be evaluated on them.
    """
    pieces = _pieces(samples, learned_from, options, seed)
    shown = np.flatnonzero(samples.seen(learned_from))
    if len(shown) > MOST_ROWS:
        shown = np.sort(np.random.default_rng(seed).choice(shown, MOST_ROWS, replace=False))
    log.info("laying out %s samples by UMAP", f"{len(shown):,}")

    def laid_out(vectors: np.ndarray) -> np.ndarray:
        places = umap_of(vectors, components=options.components, neighbours=options.neighbours, seed=seed)
        places -= places.mean(axis=0)
        places /= places.std()
        return places

    return among_neighbours(pieces, shown, laid_out)


def _pieces(
    samples: Samples, learned_from: LearnedFrom, options: LayoutOptions, seed: int
) -> Callable[[], Iterable[np.ndarray]]:
    if options.latents is not None:
        latents = LatentsFile(options.latents)
        refuse_other_samples(latents, samples)
        return latents.vectors_in_pieces
    return pca_vectors(samples, options.principal_components, learned_from, seed)
