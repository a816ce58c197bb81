"""Clusterers as modules: `Groups.assigner`, type by type."""

from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from ae_pipelines.downstream.clusterers import by_neighbours
from ae_pipelines.downstream.clustering import Groups
from ae_pipelines.scoring.onnx.nearest import Nearest
from ae_pipelines.scoring.onnx.parts import Table, module_of, tensor


class NearestCentre(nn.Module):
    """The nearest KMeans centre."""

    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self._centres = nn.Buffer(tensor(fitted.cluster_centers_))

    def forward(self, z: Tensor) -> Tensor:
        return torch.linalg.vector_norm(z[:, None] - self._centres, dim=2).argmin(1)


class LikeliestNormal(nn.Module):
    """The component of a mixture that most likely produced z, its weight included; in float64, like
    scikit-learn's."""

    def __init__(self, fitted: GaussianMixture) -> None:
        super().__init__()
        groups, size = fitted.means_.shape
        whitening = WHITENING[fitted.covariance_type](fitted.precisions_cholesky_, groups, size)  # (groups, d, d)
        log_volumes = np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(axis=1)
        self._means = nn.Buffer(tensor(fitted.means_, torch.float64))
        self._whitening = nn.Buffer(tensor(whitening, torch.float64))
        self._offsets = nn.Buffer(tensor(log_volumes + np.log(fitted.weights_), torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        from_means = z.to(torch.float64)[None] - self._means[:, None]  # (groups, batch, d)
        squares = (from_means @ self._whitening).square().sum(2)
        return (self._offsets[:, None] - 0.5 * squares).argmax(0)


WHITENING = {
    # scikit-learn's `precisions_cholesky_` → what makes each group's covariance the identity
    "full": lambda factors, groups, size: factors,
    "tied": lambda factors, groups, size: np.broadcast_to(factors, (groups, size, size)),
    "diag": lambda factors, groups, size: np.stack([np.diag(factor) for factor in factors]),
}


class ByNeighbours(nn.Module):
    """The majority group of the nearest reference vectors, or z's own where it is one of them."""

    def __init__(self, fitted: by_neighbours.ByNeighbours) -> None:
        super().__init__()
        self._nearest = Nearest(fitted.reference, by_neighbours.VOTERS)
        self._groups = nn.Buffer(tensor(fitted.groups, torch.int64))
        self._ballots = nn.Buffer(torch.eye(int(fitted.groups.max()) + 2))  # the first is for noise, -1

    def forward(self, z: Tensor) -> Tensor:
        _, places, own = self._nearest(z)
        groups = self._groups[places]  # (batch, voters)
        voted = self._ballots[groups + 1].sum(1).argmax(1) - 1
        return torch.where(own, groups[:, 0], voted)


ASSIGNERS: Table = {
    KMeans: NearestCentre,
    MiniBatchKMeans: NearestCentre,
    GaussianMixture: LikeliestNormal,
    by_neighbours.ByNeighbours: ByNeighbours,
}


class ClustererModule(nn.Module):
    """Latents (batch, d) → clusters (batch,) int64, -1 for noise, and distances (batch,) to the centre of the own
    cluster, NaN for noise."""

    def __init__(self, groups: Groups) -> None:
        super().__init__()
        self._assigner = module_of(groups.assigner, ASSIGNERS, "clusterer")
        nowhere = np.full((1, groups.centres.shape[1]), np.nan)
        self._ends = nn.Buffer(tensor(np.vstack([nowhere, groups.centres])))  # the centre of noise, -1, comes first

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        cluster = self._assigner(z)
        return cluster, torch.linalg.vector_norm(z - self._ends[cluster + 1], dim=1)
