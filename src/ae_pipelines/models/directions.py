"""Latents as the coordinates of features along directions: principal ones, or those that views agree in."""

from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ae_pipelines.models.moments import Moments

WITHIN_FLOOR = 0.1
"""Added to the variances between views, as a share of their mean, before anything is divided by them: directions in
which next to nothing varies say nothing."""


class Features(nn.Module):
    """Images (batch, channels, height, width) → features (batch, size)."""

    size: int
    samples_at_once: int
    """How many images fit into the memory that a pass may take."""


AnyFeatures = TypeVar("AnyFeatures", bound=Features)


class AlongDirections(nn.Module, Generic[AnyFeatures]):
    """An encoder: features, less their mean, along directions, which are random before any are learned."""

    mean: Tensor
    directions: Tensor

    def __init__(self, features: AnyFeatures, latent_size: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.zeros(features.size))
        self.register_buffer("directions", torch.randn(features.size, latent_size) / features.size**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return (self.in_slices(x) - self.mean) @ self.directions

    def in_slices(self, x: Tensor) -> Tensor:
        """Features of a batch, a few samples at a time; an exported program gets all at once."""
        if torch.compiler.is_compiling():
            features: Tensor = self.features(x)
            return features
        return torch.cat([self.features(part) for part in x.split(self.features.samples_at_once)])

    def learn(self, total: Moments, directions: Tensor) -> None:
        """Keep these directions (features, latents), so scaled that latents of variance 1 on average come out."""
        variance = torch.einsum("fd,fg,gd->d", directions, total.covariance, directions).mean()
        self.mean.copy_(total.mean)
        self.directions.copy_(directions / variance.clamp_min(1e-30).sqrt())


def pca(total: Moments, count: int) -> Tensor:
    """The principal axes (features, count), the largest variance first."""
    return _largest(total.covariance, None, count)[1]


def invariant(total: Moments, between_views: Moments, count: int) -> Tensor:
    """Directions (features, count) along which samples vary most as against two views of a sample: generalised
    eigenvectors of both covariances, the largest ratio first. Along each, views vary by that ratio, so that what they
    agree in counts most."""
    within = between_views.mean_products / 2
    ridge = WITHIN_FLOOR * within.diagonal().mean().clamp_min(1e-12)
    ratios, directions = _largest(total.covariance, within + ridge * torch.eye(len(within), dtype=within.dtype), count)
    return directions * ratios.clamp_min(0).sqrt()


def _largest(matrix: Tensor, against: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues, falling, and their eigenvectors (size, count), whose largest value is positive."""
    from scipy.linalg import eigh

    size = len(matrix)
    given = None if against is None else against.numpy()
    values, vectors = eigh(matrix.numpy(), given, subset_by_index=(size - count, size - 1))
    vectors = vectors[:, ::-1]
    signs = np.where(vectors[np.abs(vectors).argmax(axis=0), range(count)] < 0, -1, 1)
    return torch.from_numpy(values[::-1].copy()), torch.from_numpy(vectors * signs)
