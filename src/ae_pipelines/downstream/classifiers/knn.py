"""The classes of the nearest labelled latents."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.classifiers import CLASSIFIERS
from ae_pipelines.downstream.nearest import Index, vote


@CLASSIFIERS.register("knn")
@dataclass(frozen=True, kw_only=True)
class NearestNeighbours:
    """Shares of classes among the `k` nearest labelled latents (Cover & Hart 1967).

    Departure: there is one extra vote: half of it goes to the class of the nearest, which breaks ties, and half to all
    classes, so that none has probability 0.
    """

    k: Annotated[int, Field(gt=0)] = 5
    transductive = False

    def prepare(self, vectors: np.ndarray, seed: int) -> "Vectors":
        return Vectors(AsTheyAre(), vectors, self.k)


@dataclass(frozen=True)
class AsTheyAre:
    """Leaves latents as they are."""

    def of(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


@dataclass(frozen=True)
class Vectors:
    """Vectors to be fitted with labels."""

    places: AsTheyAre
    vectors: np.ndarray
    k: int

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "LabelledVectors":
        return LabelledVectors(self.vectors[rows], classes, min(self.k, len(rows)))


@dataclass(frozen=True)
class LabelledVectors:
    """Votes of the nearest labelled vectors."""

    vectors: np.ndarray
    classes: np.ndarray
    k: int

    def probabilities(self, places: np.ndarray) -> np.ndarray:
        rows = Index(self.vectors).nearest(places, self.k)[1]
        votes = self.k * vote(rows, self.classes)
        votes[np.arange(len(rows)), self.classes[rows[:, 0]]] += 0.5
        return (votes + np.float32(0.5 / votes.shape[1])) / np.float32(self.k + 1)
