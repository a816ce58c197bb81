"""Groups that are normally distributed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Restarts

Covariance = Literal["full", "diag", "tied"]
"""Covariance of a group: any, without correlations, or the same for all groups."""
Regularisation = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Added to the variances, so that no group shrinks to a point: scikit-learn's `reg_covar`."""

ALL_ROWS, START_ROWS = 100_000, 50_000
"""Above so many rows, starts are tried on so many random ones, and the best goes on with all."""


@CLUSTERERS.register("gaussian_mixture")
@dataclass(frozen=True, kw_only=True)
class GaussianMixture:
    """Groups as the normal distributions that make the latents most likely (Dempster, Laird & Rubin 1977), each row in
    the likeliest one; measures `bic`."""

    covariance: Covariance = "full"
    restarts: Restarts = 3
    regularisation: Regularisation = 1e-6
    most_rows = 200_000
    finds_number = False
    has_bic = True

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        space = vectors.astype(np.float64)
        for number in numbers:
            model = fitted_mixture(space, number, self.covariance, self.restarts, self.regularisation, seed)
            centres = model.means_.astype(np.float32)
            yield Grouping(model.predict(space), centres, vectors, model, {"bic": float(model.bic(space))})


def fitted_mixture(
    space: np.ndarray, number: int, covariance: Covariance, restarts: int, regularisation: float, seed: int
) -> Any:
    """scikit-learn's mixture; in single precision, covariances of latents are not always positive definite, so
    `space` (n, d) is float64."""
    from sklearn import mixture

    options = {"covariance_type": covariance, "reg_covar": regularisation, "random_state": seed}
    try:
        if len(space) <= ALL_ROWS:
            return mixture.GaussianMixture(number, n_init=restarts, **options).fit(space)
        some = np.sort(np.random.default_rng(seed).choice(len(space), START_ROWS, replace=False))
        found = mixture.GaussianMixture(number, n_init=restarts, **options).fit(space[some])
        start = {f"{name}_init": getattr(found, f"{name}_") for name in ("weights", "means", "precisions")}
        return mixture.GaussianMixture(number, **start, **options).fit(space)
    except ValueError as error:
        if "covariance" not in str(error):
            raise
        raise InputError(
            f"a mixture of {number} groups has one that shrank to a point: give fewer groups, or a larger "
            f"regularisation than {regularisation:g}"
        ) from error
