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

    Departure: there is one more vote, of which the class of the nearest gets a half, which settles ties, and all
    classes the rest, so that none is ever impossible.
    """

    k: Annotated[int, Field(gt=0)] = 5
    transductive = False

    def prepare(self, vectors: np.ndarray, seed: int) -> "Vectors":
        return Vectors(AsTheyAre(), vectors, self.k)


@dataclass(frozen=True)
class AsTheyAre:
    """Latents themselves."""

    def of(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


@dataclass(frozen=True)
class Vectors:
    """Waits for labels."""

    places: AsTheyAre
    vectors: np.ndarray
    k: int

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "LabelledVectors":
        return LabelledVectors(self.vectors[rows], classes, min(self.k, len(rows)))


@dataclass(frozen=True)
class LabelledVectors:
    """Votes for the classes of its nearest."""

    vectors: np.ndarray
    classes: np.ndarray
    k: int

    def probabilities(self, places: np.ndarray) -> np.ndarray:
        rows = Index(self.vectors, exact=True).nearest(places, self.k)[1]
        votes = self.k * vote(rows, self.classes)
        votes[np.arange(len(rows)), self.classes[rows[:, 0]]] += 0.5
        return (votes + np.float32(0.5 / votes.shape[1])) / np.float32(self.k + 1)
