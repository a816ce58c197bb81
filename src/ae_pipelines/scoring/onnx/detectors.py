"""Detectors as modules: `AnomalyModel.scorer`, type by type.

Each module takes latents (batch, d) and errors, (batch,) by name, and gives scores (batch,).
"""

import torch
from torch import Tensor, nn

from ae_pipelines.downstream.detection import AnomalyModel
from ae_pipelines.downstream.detectors import distance, errors, gaussian
from ae_pipelines.scoring.onnx.nearest import Nearest
from ae_pipelines.scoring.onnx.parts import Table, module_of, tensor


class ErrorColumn(nn.Module):
    """A reconstruction error as it is."""

    def __init__(self, fitted: errors.ErrorColumn) -> None:
        super().__init__()
        self._name = fitted.name

    def forward(self, z: Tensor, errors: dict[str, Tensor]) -> Tensor:
        return errors[self._name]


class Gaussian(nn.Module):
    """The distance from the mean after whitening (Mahalanobis)."""

    def __init__(self, fitted: gaussian.Gaussian) -> None:
        super().__init__()
        self._mean = nn.Buffer(tensor(fitted.mean))
        self._whitening = nn.Buffer(tensor(fitted.whitening))

    def forward(self, z: Tensor, errors: dict[str, Tensor]) -> Tensor:
        return torch.linalg.vector_norm((z - self._mean) @ self._whitening, dim=1)


class References(nn.Module):
    """The mean distance to the nearest references, without z itself."""

    def __init__(self, fitted: distance.References) -> None:
        super().__init__()
        self._nearest = Nearest(fitted.vectors, fitted.neighbours + 1)

    def forward(self, z: Tensor, errors: dict[str, Tensor]) -> Tensor:
        distances, _, own = self._nearest(z)
        return torch.where(own, distances[:, 1:].mean(1), distances[:, :-1].mean(1))


SCORERS: Table = {
    errors.ErrorColumn: ErrorColumn,
    gaussian.Gaussian: Gaussian,
    distance.References: References,
}


class DetectorModule(nn.Module):
    """Latents (batch, d) and errors → scores (batch,), higher is odder, and which are anomalies (batch,)."""

    def __init__(self, model: AnomalyModel) -> None:
        super().__init__()
        self._scorer = module_of(model.scorer, SCORERS, "detector")
        self._threshold = nn.Buffer(tensor(model.threshold))

    def forward(self, z: Tensor, errors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        score = self._scorer(z, errors)
        return score, score > self._threshold
