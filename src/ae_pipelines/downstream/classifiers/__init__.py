"""Ways to tell classes apart on latents.

What needs no labels (a scale, a graph, a layout) is prepared once; fitting then is cheap, so that it can be done for
many draws of a few labels.
"""

from typing import Any, Protocol

import numpy as np

from ae_pipelines.base.registry import Registry

CLASSIFIERS = Registry("classifier", __name__)
"""Makers of a `Kind`."""


class Kind(Protocol):
    """A way to tell classes apart, with its options."""

    transductive: bool
    """Whether it learns from where the unlabelled rows lie, those that it is judged by among them."""

    def prepare(self, vectors: np.ndarray, seed: int) -> "Prepared":
        """Whatever needs no labels, of vectors (n, d)."""
        ...


class Prepared(Protocol):
    """Vectors that wait for labels."""

    places: "Places"

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "Fitted":
        """What labels teach: `rows` (m,) are positions among the vectors, `classes` (m,) numbers from 0 of which each
        occurs."""
        ...


class Places(Protocol):
    """Where any vectors lie, in the terms of a kind; saved with the model, so a dataclass of arrays and numbers."""

    def of(self, vectors: np.ndarray) -> Any:
        """An array with a row for each of the vectors (n, d)."""
        ...


class Fitted(Protocol):
    """What labels taught; saved with the model, so a dataclass of arrays and numbers."""

    def probabilities(self, places: Any) -> np.ndarray:
        """Of each class, (n, classes), float32; rows add up to 1."""
        ...
