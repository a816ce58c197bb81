"""Samples are odd if no normal latents are near."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.detectors import DETECTORS
from ae_pipelines.latents.file import Latents

MOST_REFERENCES = 200_000


@dataclass(frozen=True)
class References:
    """Normal latents (n, d), and how many of them a distance is averaged over."""

    vectors: np.ndarray
    neighbours: int

    def scores(self, latents: Latents, rows: np.ndarray) -> np.ndarray:
        from ae_pipelines.downstream.nearest import Index

        index = Index(self.vectors)
        means = [self._means(z, *index.nearest(z, self.neighbours + 1)) for _, z in latents.blocks(rows)]
        return np.concatenate(means or [np.empty(0, np.float32)])

    def _means(self, z: np.ndarray, distances: np.ndarray, nearest: np.ndarray) -> np.ndarray:
        """Mean distance to the nearest references, without one that is z itself: z may be among them."""
        same = np.stack([(self.vectors[column] == z).all(axis=1) for column in nearest.T], axis=1)
        left_out = np.where(same.any(axis=1), same.argmax(axis=1), distances.shape[1] - 1)
        kept = np.arange(distances.shape[1]) != left_out[:, None]
        return distances[kept].reshape(len(z), -1).mean(axis=1)


@DETECTORS.register("knn_distance")
@dataclass(frozen=True, kw_only=True)
class KnnDistance:
    """Mean Euclidean distance to the nearest normal latents (Angiulli & Pizzuti 2002). Every row is compared with
    every reference."""

    needs: ClassVar[tuple[str, ...]] = ()
    neighbours: Annotated[int, Field(gt=0)] = 5
    references: Annotated[int, Field(gt=1, le=MOST_REFERENCES)] = 20_000
    """Number of normal latents that are kept, picked at random."""

    def fit(self, latents: Latents, rows: np.ndarray, seed: int) -> References:
        if len(rows) > self.references:
            rows = np.sort(np.random.default_rng(seed).choice(rows, self.references, replace=False))
        if len(rows) <= self.neighbours:
            raise InputError(
                f"detector 'knn_distance': {len(rows)} normal rows have no {self.neighbours} neighbours each: "
                f"give detect.neighbours below {len(rows)}, or more samples"
            )
        return References(np.ascontiguousarray(latents.at(rows)), self.neighbours)
