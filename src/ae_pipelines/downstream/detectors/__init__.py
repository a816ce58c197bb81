"""Kinds of detectors: they score how odd a sample is; higher is odder."""

from typing import ClassVar, Protocol

import numpy as np

from ae_pipelines.base.registry import Registry
from ae_pipelines.latents.file import Latents

DETECTORS = Registry("detector", __name__)
"""Makers of a `Detector`."""


class Scorer(Protocol):
    """What a detector has learned; saved as a skops file, so its type is on the trusted list."""

    def scores(self, latents: Latents, rows: np.ndarray) -> np.ndarray:
        """Scores of these rows (positions), (len(rows),), float32; the same for equal samples."""
        ...


class Detector(Protocol):
    """Learns from normal samples which ones are odd."""

    needs: ClassVar[tuple[str, ...]]
    """Columns of the latents file that it needs besides the vectors."""

    def fit(self, latents: Latents, rows: np.ndarray, seed: int) -> Scorer:
        """Learn from these rows (positions, at least two), all of normal samples."""
        ...
