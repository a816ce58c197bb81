"""A linear classifier."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.classifiers import CLASSIFIERS, regularisation

Regularisation = Annotated[float, Field(gt=0)] | None
"""Inverse strength, scikit-learn's `C`; None chooses it by cross-validation on the labels that are given."""
Iterations = Annotated[int, Field(gt=0)]


@CLASSIFIERS.register("logistic_regression")
@dataclass(frozen=True, kw_only=True)
class LogisticRegression:
    """Multinomial logistic regression on latents of mean 0, all divided by one number, their common standard deviation.

    The scale is that of all prepared rows, labelled or not. One number for all leaves latents of small variance small:
    with one for each, PCA would be whitened, its noise as large as what it found, and no fair control.
    """

    regularisation: Regularisation = None
    maximum_iterations: Iterations = 1000
    transductive = False

    def prepare(self, vectors: np.ndarray, seed: int) -> "ScaledVectors":
        return ScaledVectors(Scale.of_all(vectors), vectors, self.regularisation, self.maximum_iterations, seed)


@dataclass(frozen=True)
class Scale:
    """Moves latents to mean 0 and scales them to a common deviation of 1."""

    mean: np.ndarray
    """(d,)."""
    deviation: np.ndarray
    """(1,); of models that were saved by earlier versions (d,), a deviation for each latent."""

    @classmethod
    def of_all(cls, vectors: np.ndarray) -> "Scale":
        """The scale of vectors (n, d); their common deviation is the root of the mean variance."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(vectors.var(axis=0, dtype=np.float64).mean(keepdims=True))
        return cls(mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32))

    def of(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self.mean) / self.deviation


@dataclass(frozen=True)
class ScaledVectors:
    """Scaled vectors to be fitted with labels."""

    places: Scale
    vectors: np.ndarray
    regularisation: float | None
    maximum_iterations: int
    seed: int = 0

    def tuned(self, rows: np.ndarray, classes: np.ndarray) -> "ScaledVectors":
        """The same, with the regularisation chosen by these labels, unless it was given."""
        if self.regularisation is not None:
            return self
        z = self.places.of(self.vectors[rows])
        return replace(self, regularisation=regularisation.chosen(z, classes, self.maximum_iterations, self.seed))

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "Linear":
        from sklearn.linear_model import LogisticRegression

        strength = self.tuned(rows, classes).regularisation
        z, basis = regularisation.in_row_space(self.places.of(self.vectors[rows]))
        z = z.astype(np.float64) if z.size <= regularisation.VALUES else z  # rounding may end a short search early
        model = LogisticRegression(C=strength, max_iter=self.maximum_iterations).fit(z, classes)
        weights, bias = model.coef_.T if basis is None else basis @ model.coef_.T, model.intercept_
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
