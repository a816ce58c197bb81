"""Samples are odd if they lie far from the mean of the normal latents."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.detectors import DETECTORS
from ae_pipelines.latents.file import Latents


@dataclass(frozen=True)
class Gaussian:
    """The normal latents' mean (d,), and the matrix (d, d) that makes their covariance the identity."""

    mean: np.ndarray
    whitening: np.ndarray

    def scores(self, latents: Latents, rows: np.ndarray) -> np.ndarray:
        white = ((z - self.mean) @ self.whitening for _, z in latents.blocks(rows))
        return np.concatenate([np.linalg.norm(z, axis=1) for z in white] or [np.empty(0)]).astype(np.float32)


@DETECTORS.register("mahalanobis")
@dataclass(frozen=True, kw_only=True)
class Mahalanobis:
    """√((z - μ)ᵀ Σ⁻¹ (z - μ)) (Mahalanobis 1936), by mean and covariance of the normal latents."""

    needs: ClassVar[tuple[str, ...]] = ()
    ridge: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    """Added to each variance, as a share of their mean, so that latents that hardly vary do not dominate."""

    def fit(self, latents: Latents, rows: np.ndarray, seed: int) -> Gaussian:
        mean, covariance = _moments(latents, rows)
        variance = np.trace(covariance) / len(covariance)
        if not variance > 0:
            raise InputError(
                f"the {len(rows)} normal latents are all the same, so distances cannot be measured: train an encoder "
                "that tells samples apart"
            )
        lower = np.linalg.cholesky(covariance + self.ridge * variance * np.eye(len(covariance)))
        return Gaussian(mean.astype(np.float32), np.linalg.inv(lower).T.astype(np.float32))


def _moments(latents: Latents, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of some rows, a block at a time."""
    offset = latents.at(rows[:1])[0].astype(np.float64)  # a mean far above the deviation would cost digits
    total, products = np.zeros(len(offset)), np.zeros((len(offset), len(offset)))
    for _, vectors in latents.blocks(rows):
        z = vectors - offset
        total += z.sum(axis=0)
        products += z.T @ z
    mean = total / len(rows)
    return mean + offset, products / len(rows) - np.outer(mean, mean)
