"""Classifiers as modules: `Classifier.places`, `.fitted` and `.calibration`, type by type."""

import numpy as np
import torch
from torch import Tensor, nn

from ae_pipelines.downstream import calibration
from ae_pipelines.downstream.calibration import FLOOR
from ae_pipelines.downstream.classification import Classifier
from ae_pipelines.downstream.classifiers import knn, logistic_regression, references
from ae_pipelines.scoring.onnx.nearest import Nearest
from ae_pipelines.scoring.onnx.parts import Table, module_of, tensor

# -- places ----------------------------------------------------------------------------------------------------


class Scale(nn.Module):
    """Latents moved to mean 0 and divided by their common standard deviation."""

    def __init__(self, fitted: logistic_regression.Scale) -> None:
        super().__init__()
        self._mean = nn.Buffer(tensor(fitted.mean))
        self._deviation = nn.Buffer(tensor(fitted.deviation))

    def forward(self, z: Tensor) -> Tensor:
        return (z - self._mean) / self._deviation


class AsTheyAre(nn.Identity):
    """Latents as they are."""


class References(nn.Module):
    """Positions (batch, neighbours) of the references that decide for z: itself, or its nearest ones."""

    def __init__(self, fitted: references.References) -> None:
        super().__init__()
        self._nearest = Nearest(fitted.vectors, fitted.neighbours)

    def forward(self, z: Tensor) -> Tensor:
        _, places, own = self._nearest(z)
        return torch.where(own[:, None], places[:, :1], places)


PLACES: Table = {
    logistic_regression.Scale: Scale,
    knn.AsTheyAre: AsTheyAre,
    references.References: References,
}

# -- what labels taught ----------------------------------------------------------------------------------------


class Linear(nn.Module):
    """softmax(z W + b)."""

    def __init__(self, fitted: logistic_regression.Linear) -> None:
        super().__init__()
        self._weights = nn.Buffer(tensor(fitted.weights))
        self._bias = nn.Buffer(tensor(fitted.bias))

    def forward(self, places: Tensor) -> Tensor:
        return (places @ self._weights + self._bias).softmax(1)


class LabelledVectors(nn.Module):
    """Votes of the nearest references, plus one more: half for the class of the nearest, half spread over all."""

    def __init__(self, fitted: knn.LabelledVectors) -> None:
        super().__init__()
        self._nearest, self._k = Nearest(fitted.vectors, fitted.k), fitted.k
        self._classes = int(fitted.classes.max()) + 1
        self._ballots = nn.Buffer(torch.eye(self._classes)[tensor(fitted.classes, torch.int64)])

    def forward(self, places: Tensor) -> Tensor:
        ballots = self._ballots[self._nearest(places)[1]]  # (batch, k, classes)
        votes = ballots.sum(1) + 0.5 * ballots[:, 0]
        return (votes + 0.5 / self._classes) / (self._k + 1)


class Distributions(nn.Module):
    """The mean of the references' distributions."""

    def __init__(self, fitted: references.Distributions) -> None:
        super().__init__()
        self._shares = nn.Buffer(tensor(fitted.shares))

    def forward(self, places: Tensor) -> Tensor:
        return self._shares[places].mean(1)


FITTED: Table = {
    logistic_regression.Linear: Linear,
    knn.LabelledVectors: LabelledVectors,
    references.Distributions: Distributions,
}

# -- calibrations ----------------------------------------------------------------------------------------------


class Unchanged(nn.Identity):
    """Probabilities as they are."""


class Temperature(nn.Module):
    """softmax(log p / T)."""

    def __init__(self, fitted: calibration.Temperature) -> None:
        super().__init__()
        self._temperature = fitted.temperature

    def forward(self, probabilities: Tensor) -> Tensor:
        return (probabilities.clamp_min(FLOOR).log() / self._temperature).softmax(1)


class Sigmoid(nn.Module):
    """1 / (1 + exp(-(a log(p / (1 - p)) + b))), scaled to add up to 1."""

    def __init__(self, fitted: calibration.Sigmoid) -> None:
        super().__init__()
        self._slopes = nn.Buffer(tensor(fitted.slopes, torch.float64))
        self._offsets = nn.Buffer(tensor(fitted.offsets, torch.float64))

    def forward(self, probabilities: Tensor) -> Tensor:
        odds = probabilities.clamp_min(FLOOR).log() - (1 - probabilities).clamp_min(FLOOR).log()
        return _to_one((odds.to(torch.float64) * self._slopes + self._offsets).sigmoid(), probabilities)


class Isotonic(nn.Module):
    """A rising staircase for each class, linear between its steps, scaled to add up to 1."""

    def __init__(self, fitted: calibration.Isotonic) -> None:
        super().__init__()
        longest = 1 + max(map(len, fitted.given))  # at least two, so that there is something to interpolate
        given = [np.pad(steps, (0, longest - len(steps)), constant_values=np.inf) for steps in fitted.given]
        right = [np.pad(steps, (0, longest - len(steps)), mode="edge") for steps in fitted.right]
        self._given = nn.Buffer(tensor(np.stack(given), torch.float64))  # (classes, steps)
        self._right = nn.Buffer(tensor(np.stack(right), torch.float64))

    def forward(self, probabilities: Tensor) -> Tensor:
        p = probabilities.to(torch.float64).T  # (classes, batch)
        below = ((self._given[:, None] <= p[:, :, None]).sum(2) - 1).clamp_min(0)
        low, high = self._given.gather(1, below), self._given.gather(1, below + 1)
        way = ((p - low) / (high - low)).clamp_min(0)  # 0 beyond either end: the last step is infinitely far
        start, end = self._right.gather(1, below), self._right.gather(1, below + 1)
        return _to_one((start + way * (end - start)).T, probabilities)


def _to_one(values: Tensor, otherwise: Tensor) -> Tensor:
    """Rows scaled to add up to 1, float32; rows of zeros are taken from `otherwise`."""
    total = values.sum(1, keepdim=True)
    return torch.where(total > 0, (values / torch.where(total > 0, total, 1)).to(torch.float32), otherwise)


CALIBRATIONS: Table = {
    calibration.Unchanged: Unchanged,
    calibration.Temperature: Temperature,
    calibration.Sigmoid: Sigmoid,
    calibration.Isotonic: Isotonic,
}


class ClassifierModule(nn.Module):
    """Latents (batch, d) → the number of the most probable class (batch,) int64 and its probability (batch,)."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self._probabilities = nn.Sequential(
            module_of(classifier.places, PLACES, "place"),
            module_of(classifier.fitted, FITTED, "classifier"),
            module_of(classifier.calibration, CALIBRATIONS, "calibration"),
        )

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        probability, number = self._probabilities(z).max(1)
        return number, probability
