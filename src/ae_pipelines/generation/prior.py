"""Where new latents come from."""

import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ae_pipelines.base import progress
from ae_pipelines.downstream.clusterers.gaussian_mixture import fitted_mixture

log = logging.getLogger(__name__)

COMPONENTS = (1, 2, 5, 10, 20, 40)
"""Numbers of normal distributions that are tried."""
ROWS_EACH = 20
"""Rows for each component that a mixture must have to be tried."""
FITTED_ROWS = 10_000
"""Latents that the mixture is fitted on, at random."""


class Prior(Protocol):
    """A distribution of latents that decode into new samples."""

    @property
    def said(self) -> str:
        """What it is, in words."""
        ...

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """New latents (count, d), float32."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """What methods that generate were trained to decode."""

    size: int

    @property
    def said(self) -> str:
        return "the standard normal"

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        return random.standard_normal((count, self.size), np.float32)


@dataclass(frozen=True)
class Mixture:
    """Normal distributions, each with a weight."""

    weights: np.ndarray
    """(components,), with sum 1."""
    means: np.ndarray
    """(components, d)"""
    covariances: np.ndarray
    """(components, d, d)"""

    @property
    def said(self) -> str:
        many = len(self.weights)
        return f"a mixture of {many} normal distributions" if many > 1 else "a normal distribution"

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        parts = random.choice(len(self.weights), count, p=self.weights)
        scales = np.linalg.cholesky(self.covariances)
        noise = random.standard_normal((count, self.means.shape[1]))
        return (self.means[parts] + np.einsum("nij,nj->ni", scales[parts], noise)).astype(np.float32)


def fitted(vectors: np.ndarray, seed: int) -> Mixture:
    """The mixture with the lowest Bayesian information criterion (Schwarz 1978) on latents (n, d): how latents of a
    method without a prior of its own are distributed (Ghosh et al. 2020, section 3.2)."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:FITTED_ROWS]
    space = vectors[chosen].astype(np.float64)
    numbers = [number for number in COMPONENTS if number == 1 or number * ROWS_EACH <= len(space)]
    regularisation = max(1e-6 * float(space.var()), 1e-12)  # in units of the latents, which may be of any size
    best, lowest = None, np.inf
    with progress.Steps(len(numbers), "prior", "mixture") as steps:
        for number in numbers:
            model = fitted_mixture(space, number, "full", 1, regularisation, seed)
            criterion = float(model.bic(space))
            if criterion >= lowest:
                break  # more components cost more and no longer pay off
            best, lowest = model, criterion
            steps.advance(1)
    found = Mixture(best.weights_ / best.weights_.sum(), best.means_, best.covariances_)  # type: ignore[union-attr]
    log.info("latents are drawn from %s, fitted on %s", found.said, f"{len(space):,}")
    return found
