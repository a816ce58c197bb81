"""Columns scaled to mean 0 and variance 1, by statistics of the train rows, gathered in one streaming pass."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.spec import SampleSpec

log = logging.getLogger(__name__)

STATISTICS = ("mean", "standard_deviation")
"""Names of a standardisation's statistics in the preprocessing of samples."""
TOO_LARGE = "too large for float32"
"""Why a row of finite values is rejected when `Standardisation.apply` gives it an Inf."""


@dataclass(frozen=True)
class Standardisation:
    """What is subtracted from each column, and what it is then divided by; float64, (columns,).

    Columns are the second axis: features of (n, columns), channels of (n, columns, height, width).
    """

    mean: np.ndarray
    standard_deviation: np.ndarray

    @classmethod
    def none(cls, columns: int) -> Self:
        """One that leaves values as they are."""
        return cls(np.zeros(columns), np.ones(columns))

    @classmethod
    def recorded(cls, preprocessing: dict[str, Any]) -> Self | None:
        """The one that `record` wrote into `preprocessing`; None if there is none."""
        if not {*STATISTICS} <= preprocessing.keys():
            return None
        return cls(*(np.array(preprocessing[name], np.float64) for name in STATISTICS))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """float32 of the same shape, computed in float64; what float32 cannot hold becomes Inf."""
        shape = (-1, *[1] * (values.ndim - 2))
        with np.errstate(over="ignore", invalid="ignore"):
            result = np.subtract(values, self.mean.reshape(shape), dtype=np.float64)
            result /= self.standard_deviation.reshape(shape)
            return result.astype(np.float32)

    def record(self) -> dict[str, list[float]]:
        """The statistics as plain numbers, for `SampleSpec.preprocessing`."""
        return {"mean": self.mean.tolist(), "standard_deviation": self.standard_deviation.tolist()}


def stored_of(raw: np.ndarray, spec: SampleSpec) -> np.ndarray:
    """What a store of `spec` holds for raw samples (n, *shape): images as they are, numbers as `apply` gives them."""
    if spec.bounded:
        return raw
    return (Standardisation.recorded(spec.preprocessing) or Standardisation.none(1)).apply(raw)


def fit(blocks: Iterable[tuple[np.ndarray, Sequence[str]]], columns: Sequence[str]) -> Standardisation:
    """Statistics of the train rows of all blocks of (finite values (n, columns, ...), splits); `columns` are names.

    Variances by Chan, Golub & LeVeque 1983, eq. 1.5, as in scikit-learn's StandardScaler, which also
    decides what counts as constant: such a column keeps its scale, and becomes 0.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    rows = 0
    for values, splits in blocks:
        train = values[np.asarray(splits) == "train"]
        if len(train):
            by_column = np.moveaxis(train, 1, 0).reshape(len(columns), -1).astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                scaler.partial_fit(by_column.T)
            rows += len(train)
    if not rows:
        raise InputError("no usable row is in the train split, so there is nothing to standardise by: give more rows")
    _refuse_overflow(np.isfinite(scaler.var_), columns)
    _report_constant(scaler.scale_ != np.sqrt(scaler.var_), columns, rows)
    return Standardisation(scaler.mean_, scaler.scale_)


def _refuse_overflow(finite: np.ndarray, columns: Sequence[str]) -> None:
    if not finite.all():
        raise InputError(
            f"the variance of {_names_of(~finite, columns)} is more than float64 can hold: "
            "fix the values, or give standardise=false"
        )


def _report_constant(constant: np.ndarray, columns: Sequence[str], rows: int) -> None:
    if constant.all():
        raise InputError(
            f"all of the {len(columns)} columns are constant over the {rows} train rows: "
            "there is nothing to learn from them, give others"
        )
    if constant.any():
        log.warning("constant over the train rows, so they become 0: %s", _names_of(constant, columns))


def _names_of(chosen: np.ndarray, columns: Sequence[str]) -> str:
    return first_of([repr(columns[place]) for place in np.flatnonzero(chosen).tolist()])
