"""A linear classifier."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.classifiers import CLASSIFIERS

Regularisation = Annotated[float, Field(gt=0)]
"""Inverse strength: scikit-learn's `C`."""
Iterations = Annotated[int, Field(gt=0)]


@CLASSIFIERS.register("logistic_regression")
@dataclass(frozen=True, kw_only=True)
class LogisticRegression:
    """Multinomial logistic regression on latents of mean 0 and deviation 1.

    The scale is that of all prepared rows, labelled or not.
    """

    regularisation: Regularisation = 1.0
    maximum_iterations: Iterations = 1000
    transductive = False

    def prepare(self, vectors: np.ndarray, seed: int) -> "ScaledVectors":
        mean, deviation = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
        scale = Scale(mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32))
        return ScaledVectors(scale, vectors, self.regularisation, self.maximum_iterations)


@dataclass(frozen=True)
class Scale:
    """Scales latents to mean 0 and deviation 1."""

    mean: np.ndarray
    deviation: np.ndarray

    def of(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self.mean) / self.deviation


@dataclass(frozen=True)
class ScaledVectors:
    """Scaled vectors to be fitted with labels."""

    places: Scale
    vectors: np.ndarray
    regularisation: float
    maximum_iterations: int

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "Linear":
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.regularisation, max_iter=self.maximum_iterations)
        model.fit(self.places.of(self.vectors[rows]), classes)
        weights, bias = model.coef_.T, model.intercept_
        if len(bias) == 1:  # for two classes scikit-learn keeps only the second against the first
            weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0, bias)
        return Linear(weights.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True)
class Linear:
    """softmax(z W + b)."""

    weights: np.ndarray
    """(d, classes)."""
    bias: np.ndarray

    def probabilities(self, places: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        return softmax(places @ self.weights + self.bias, axis=1)
