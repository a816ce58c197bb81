"""The plane of a latent of size 2 (Kingma & Welling 2014, figure 4)."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.generation.generator import CannotShow, Generator

OUTERMOST = 0.02
"""The grid goes from this quantile of each latent to one minus it."""


@dataclass(frozen=True)
class Manifold:
    """Decoded points of a grid, and where real samples lie."""

    pictures: np.ndarray
    """(rows, columns, *shape): the first latent from left to right, the second from bottom to top."""
    points: np.ndarray
    """Latents of real samples, (n, 2); none without an encoder."""
    labels: np.ndarray
    """Labels of these, (n,), text; empty where unknown."""


def manifold(generator: Generator) -> Manifold:
    """A grid over the quantiles of both latents, so that as many samples lie between two lines as between two others.
    `CannotShow` unless there are two latents."""
    if generator.size != 2:
        raise CannotShow(f"a plane has two latents, these have {generator.size}: train with recipe.model.latent_size=2")
    side = generator.options.grid
    values = generator.quantiles(np.linspace(OUTERMOST, 1 - OUTERMOST, side))
    across, up = np.meshgrid(values[:, 0], values[::-1, 1])
    made = generator.decode(np.stack([across, up], axis=-1).reshape(-1, 2))
    encoded = generator.encoded
    points = np.empty((0, 2), np.float32) if encoded is None else encoded.vectors
    labels = np.empty(0, dtype=str) if encoded is None else encoded.labels
    return Manifold(made.reshape(side, side, *made.shape[1:]), points, labels)
