"""What looks for groups among vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from pydantic import Field

from ae_pipelines.base.registry import Registry

CLUSTERERS = Registry("clusterer", __name__)
"""Makers of a `Clusterer`."""

Restarts = Annotated[int, Field(gt=0)]
"""From how many starts a search runs; the best result is kept."""
Neighbours = Annotated[int, Field(gt=0)]


class Assigner(Protocol):
    """Puts vectors into groups: an estimator of scikit-learn, or a dataclass of ours."""

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Of each vector (n, d) its group (n,), from 0; -1 for noise."""
        ...


@dataclass(frozen=True)
class Grouping:
    """Vectors in groups."""

    groups: np.ndarray
    """(n,), from 0; -1 for noise."""
    centres: np.ndarray
    """(groups, d): of each group, among the vectors."""
    space: np.ndarray
    """(n, components): where the groups were looked for, the vectors themselves or something made of them."""
    assigner: Assigner
    measures: dict[str, float]
    """What only this kind can say, such as `inertia` or `bic` of these vectors."""


class Clusterer(Protocol):
    """Looks for groups."""

    most_rows: int | None
    """It is given so many vectors at most, a random sample; None: any number."""
    finds_number: bool
    """Whether it finds out how many groups there are."""
    has_bic: bool
    """Whether its groupings have the measure `bic`, the Bayesian information criterion (Schwarz 1978)."""

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        """Of vectors (n, d), float32, a grouping for each number of groups; one if it finds the number itself."""
        ...
