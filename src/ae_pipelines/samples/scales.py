"""The same samples on two scales: one store standardises by its own rows, another by others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import RANGE, SampleSpec
from ae_pipelines.samples.standardise import STATISTICS, Standardisation
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.treatments import LEARNED

OF_SCALE = ("mean", "standard_deviation", "earliest", "fill", "missing")
"""What treatments of one column may differ in."""


def apart_from_scale(spec: SampleSpec) -> tuple[object, ...]:
    """The spec of samples without the statistics, which change with every row that is added."""
    statistics = {*STATISTICS, *LEARNED, RANGE}
    return spec.shape, spec.dtype, {name: done for name, done in spec.preprocessing.items() if name not in statistics}


@dataclass(frozen=True)
class Scale:
    """How inputs on one scale become those on another: value * factor + offset, each (columns,) or one number."""

    factor: np.ndarray
    offset: np.ndarray

    @classmethod
    def between(cls, here: SampleSpec, there: SampleSpec) -> Self | None:
        """From inputs of samples like `here` to those of samples like `there`; None if they are the same.

        `InputError` if more than the scale differs: other columns, or other levels of a category. A cell that was
        missing stays filled as it is `here`.
        """
        if here == there:
            return None
        if apart_from_scale(here) != apart_from_scale(there) or len(_treatments(here)) != len(_treatments(there)):
            raise InputError("they were not prepared in the same way")
        (mean, deviation), (their_mean, their_deviation) = _statistics(here), _statistics(there)
        for ours, theirs in zip(_treatments(here), _treatments(there), strict=True):
            if (column := _named_alike(ours, theirs)) is not None:
                raise InputError(f"column {column!r} is treated otherwise")
        return cls(deviation / their_deviation, (mean - their_mean) / their_deviation)

    def back(self) -> "Scale":
        """From there to here."""
        return Scale(1 / self.factor, -self.offset / self.factor)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """float32 of the same shape, (n, columns, ...), computed in float64."""
        shape = (-1, *[1] * (values.ndim - 2))
        return (values * self.factor.reshape(shape) + self.offset.reshape(shape)).astype(np.float32)


def stored_there(values: np.ndarray, here: SampleSpec, scale: Scale | None) -> np.ndarray:
    """What a store there would hold for values that one holds here: images are stored as they are on every scale."""
    return values if scale is None or here.bounded else scale.apply(values)


def _treatments(spec: SampleSpec) -> list[Mapping[str, Any]]:
    return list(spec.preprocessing.get("treatments", ()))


def _named_alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """The column if its features mean something else there."""
    same = [{name: value for name, value in one.items() if name not in OF_SCALE} for one in (ours, theirs)]
    if "levels" in ours and "levels" in theirs:  # rare levels are one feature, whichever they are
        for one in same:
            one["rare"] = bool(one["rare"])
            one.pop("all_listed")
    return None if same[0] == same[1] and ("mean" in ours) == ("mean" in theirs) else str(ours["column"])


def _statistics(spec: SampleSpec) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation that inputs were made with, each (columns,) or (1,)."""
    if spec.bounded:
        low, high = spec.range
        return np.array([float(low)]), np.array([float(high) - float(low)])
    if "treatments" not in spec.preprocessing:
        found = Standardisation.recorded(spec.preprocessing) or Standardisation.none(1)
        return found.mean, found.standard_deviation
    means, deviations = [], []
    for one in spec.preprocessing["treatments"]:
        scaled = "mean" in one
        width = features.width(one)
        first = one["mean"] + one.get("earliest", 0.0) if scaled else 0.0
        means += ([first] if scaled else []) + [0.0] * (width - scaled)
        deviations += ([one["standard_deviation"]] if scaled else []) + [1.0] * (width - scaled)
    return np.array(means), np.array(deviations)
