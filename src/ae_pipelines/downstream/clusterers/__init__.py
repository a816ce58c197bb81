"""Kinds of clusterers, which look for groups among vectors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from ae_pipelines.base.registry import Registry

CLUSTERERS = Registry("clusterer", __name__)
"""Makers of a `Clusterer`."""

Restarts = Annotated[int, Field(gt=0)]
"""Number of starts of a search; the best result is kept."""
Neighbours = Annotated[int, Field(gt=0)]


class Assigner(Protocol):
    """Assigns vectors to groups: an estimator of scikit-learn, or a dataclass of ours."""

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Group (n,) of each vector (n, d), from 0; -1 for noise."""
        ...


@dataclass(frozen=True)
class Grouping:
    """Vectors in groups."""

    groups: np.ndarray
    """(n,), from 0; -1 for noise."""
    centres: np.ndarray
    """(groups, d): centre of each group, in the space of the vectors."""
    space: np.ndarray
    """(n, components): what the groups were looked for in, the vectors themselves or something made from them."""
    assigner: Assigner
    measures: dict[str, float]
    """Measures that only this kind has, such as `inertia` or `bic` of these vectors."""


class Clusterer(Protocol):
    """Looks for groups."""

    most_rows: int | None
    """Most vectors that it is given, a random sample; None: any number."""
    finds_number: bool
    """Whether it finds the number of groups itself."""
    has_bic: bool
    """Whether its groupings have the measure `bic`, the Bayesian information criterion (Schwarz 1978)."""

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        """A grouping of vectors (n, d), float32, for each number of groups; one if it finds the number itself."""
        ...


@runtime_checkable
class Refining(Protocol):
    """A clusterer that goes on with all rows where there are more than it is given at once, its `most_rows`."""

    start_rows: int
    """Rows of the random sample that it is given then."""

    def refined(self, found: Grouping, pieces: Iterable[np.ndarray]) -> Grouping:
        """What it `found` in that sample, made to fit all vectors: pieces (rows, d), float32, which can be gone through
        as often as needed. Measures are of all; `groups` and `space` stay those of the sample."""
        ...
