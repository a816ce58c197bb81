"""Where a latent space decodes into nothing real."""

from dataclasses import dataclass
from math import prod

import numpy as np

from ae_pipelines.downstream.nearest import Index
from ae_pipelines.generation.generator import Generator

OUTERMOST = 0.005
"""The grid goes from this quantile of each direction to one minus it."""
FAR = 0.95
"""A new sample is far from real ones if its distance to them exceeds this quantile of the distances of reconstructed
test samples."""
MOST_BYTES = 2**28
"""Size of the train samples that new ones are compared with, and of the reconstructed test samples."""


@dataclass(frozen=True)
class Gaps:
    """Decoded points of a grid over a plane through the latents, and how far each is from what is real."""

    name: str
    """Name of the recipe."""
    pictures: np.ndarray
    """(rows, columns, *shape)"""
    distances: np.ndarray
    """Distances to the nearest train sample, root mean square over features, (rows, columns)."""
    far_from: float
    """The distance beyond which a point is far."""

    @property
    def share(self) -> float:
        """Share of the points that are far from any real sample."""
        return float((self.distances > self.far_from).mean())


def gaps(generator: Generator) -> Gaps:
    """Gaps in the plane of the first two principal components of the latents, through their mean; for two latents that
    is their own plane. `CannotShow` without an encoder."""
    encoded = generator.need_encoder()
    known = Index(_flat(generator.real(_some(encoded.rows[~encoded.test], generator))))
    side = generator.options.grid
    made = generator.decode(_plane(encoded.train_vectors, side))
    rebuilt = generator.decode(_some(encoded.vectors[encoded.test], generator))
    distances = _distances(known, made).reshape(side, side)
    far_from = float(np.quantile(_distances(known, rebuilt), FAR))
    return Gaps(generator.name, made.reshape(side, side, *made.shape[1:]), distances, far_from)


def _some(rows: np.ndarray, generator: Generator) -> np.ndarray:
    """As many as may be compared, from all over the store, which may be sorted by class."""
    most = max(1, MOST_BYTES // (4 * prod(generator.samples.spec.shape)))
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]


def _plane(vectors: np.ndarray, side: int) -> np.ndarray:
    """Points of a grid, (side², d), row by row from the top."""
    mean = vectors.mean(axis=0)
    directions = np.linalg.svd(vectors - mean, full_matrices=False)[2][:2]
    places = (vectors - mean) @ directions.T
    low, high = np.quantile(places, [OUTERMOST, 1 - OUTERMOST], axis=0)
    across, *up = (np.linspace(low[axis], high[axis], side) for axis in range(len(directions)))
    grid = np.stack(np.meshgrid(across, up[0][::-1] if up else np.zeros(side)), axis=-1).reshape(-1, 2)
    return (mean + grid[:, : len(directions)] @ directions).astype(np.float32)


def _distances(known: Index, made: np.ndarray) -> np.ndarray:
    flat = _flat(made)
    return known.nearest(flat, 1)[0][:, 0] / np.sqrt(flat.shape[1])


def _flat(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1)
