"""A linear classifier on a layout of the latents in which groups are separated."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.classifiers import CLASSIFIERS
from ae_pipelines.downstream.classifiers.logistic_regression import (
    Iterations,
    LogisticRegression,
    Regularisation,
    ScaledVectors,
)
from ae_pipelines.downstream.classifiers.references import Distributions, References
from ae_pipelines.downstream.manifold import umap_of


@CLASSIFIERS.register("umap_logistic_regression")
@dataclass(frozen=True, kw_only=True)
class UmapLogisticRegression:
    """Logistic regression on UMAP's layout of all rows (McInnes, Healy & Melville 2018)."""

    components: Annotated[int, Field(gt=0)] = 10
    neighbours: Annotated[int, Field(gt=1)] = 20
    """Neighbours in UMAP's graph."""
    k: Annotated[int, Field(gt=0)] = 10
    """Rows that were not laid out get the mean over this many nearest ones that were."""
    regularisation: Regularisation = None
    maximum_iterations: Iterations = 1000
    transductive = True

    def prepare(self, vectors: np.ndarray, seed: int) -> "Layout":
        layout = umap_of(vectors, components=self.components, neighbours=self.neighbours, seed=seed)
        linear = LogisticRegression(regularisation=self.regularisation, maximum_iterations=self.maximum_iterations)
        return Layout(References(vectors, self.k), linear.prepare(layout, seed))


@dataclass(frozen=True)
class Layout:
    """A layout to be fitted with labels."""

    places: References
    layout: ScaledVectors

    def tuned(self, rows: np.ndarray, classes: np.ndarray) -> "Layout":
        """The same, with the regularisation chosen by these labels, unless it was given."""
        return replace(self, layout=self.layout.tuned(rows, classes))

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> Distributions:
        linear = self.layout.fit(rows, classes)
        return Distributions(linear.probabilities(self.layout.places.of(self.layout.vectors)))
