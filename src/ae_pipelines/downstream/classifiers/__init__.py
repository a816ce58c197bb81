"""Kinds of classifiers on latents.

What needs no labels (a scale, a graph, a layout) is prepared once; fitting is then cheap, so that it can be repeated
for many draws of a few labels.
"""

from typing import Any, Protocol

import numpy as np

from ae_pipelines.base.registry import Registry

CLASSIFIERS = Registry("classifier", __name__)
"""Makers of a `Kind`."""


class Kind(Protocol):
    """A kind of classifier, with its options."""

    transductive: bool
    """Whether it learns from the vectors of unlabelled rows too, including those that it is evaluated on."""

    def prepare(self, vectors: np.ndarray, seed: int) -> "Prepared":
        """Everything that needs no labels, made from vectors (n, d)."""
        ...


class Prepared(Protocol):
    """Vectors, prepared to be fitted with labels.

    A kind that chooses options by the labels has `tuned(rows, classes)`, too: the same with these chosen, so that many
    fits can share a choice.
    """

    places: "Places"

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> "Fitted":
        """The fitted classifier: `rows` (m,) are positions among the vectors, `classes` (m,) numbers from 0, each of
        which occurs."""
        ...


def tuned(prepared: Prepared, rows: np.ndarray, classes: np.ndarray) -> Prepared:
    """The same with options chosen by these labels, if its kind chooses any."""
    result: Prepared = prepared.tuned(rows, classes) if hasattr(prepared, "tuned") else prepared
    return result


class Places(Protocol):
    """Any vectors, represented as a kind needs them; saved with the model, so a dataclass of arrays and numbers."""

    def of(self, vectors: np.ndarray) -> Any:
        """An array with a row for each of the vectors (n, d)."""
        ...


class Fitted(Protocol):
    """A fitted classifier; saved with the model, so a dataclass of arrays and numbers."""

    def probabilities(self, places: Any) -> np.ndarray:
        """Probability of each class, (n, classes), float32; rows add up to 1."""
        ...
