"""Which values images use: the range that becomes [0, 1], if it follows from them, and what is odd about it."""

import logging
from collections.abc import Sequence
from math import inf
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import OPEN_RANGE, RANGE, SampleSpec

log = logging.getLogger(__name__)

CUT_AT_AN_END = 0.001
"""Share of the train split's pixels below a range of `data`, and above it, at most."""
ODD_CUT = 4 * CUT_AT_AN_END
"""Share of all pixels outside their range that is more than chance."""
LEAST_USED = 0.05
"""Share of their range that images use at least; less is nearly black, or nearly flat, to a model."""
FAR = 2
"""So many times the range above its lower end are values that may matter, though hardly any pixel has them."""

COUNTED_AT_ONCE = 2**18
"""Values that are counted together: in the processor's cache, this takes half the time."""


def _known(given: Any) -> Any:
    """`given` with numbers as such; one message for all that is no range."""
    if given in ("full", "data"):
        return given
    try:
        low, high = (0, 0) if isinstance(given, str) else map(float, given)
    except (TypeError, ValueError):
        low, high = 0, 0
    if not 0 <= low < high < inf:
        raise ValueError(
            f"given {given!r}, expected full, data, or two stored values, the lower first, such as [0, 4095]"
        )
    return low, high


Range = Annotated[Literal["full", "data"] | tuple[float, float], BeforeValidator(_known)]
"""`full`: all that the dtype can hold; `data`: from the 0.1 % to the 99.9 % quantile of the train split's pixels; or
two stored values."""


def ranged(spec: SampleSpec, given: Range | None, *, of_others: bool = False) -> SampleSpec:
    """`spec` of images with the range that was asked for: where none was, all values of uint8, `data` of uint16; `data`
    stays open until the samples are there. `InputError` for more than the images can hold, unless the range is that
    `of_others`, which a model was trained on."""
    if given is not None and not isinstance(given, str) and given[1] > spec.largest and not of_others:
        raise InputError(
            f"source.range=[{given[0]:g},{given[1]:g}] ends above {spec.largest}, the largest value of {spec.dtype}, "
            "which these images are: give what they hold, source.range=data or source.range=full",
            options={"source.range": "data"},
        )
    chosen = given or ("full" if spec.dtype == "uint8" else "data")
    if chosen == "data":
        return spec.model_copy(update={"preprocessing": {**spec.preprocessing, RANGE: OPEN_RANGE}})
    low, high = (0, spec.largest) if chosen == "full" else chosen
    return spec if (spec.dtype, low, high) == ("uint8", 0, spec.largest) else spec.with_range(low, high)


class UsedValues:
    """Counts the values of images while they are stored."""

    def __init__(self, spec: SampleSpec) -> None:
        self._spec = spec
        self._ends: list[tuple[int, int]] = []
        self._counts = np.zeros((2, spec.largest + 1), np.int64) if spec.preprocessing.get(RANGE) else None
        """Of each value in the train split, and elsewhere; None where the extremes say all."""

    def add(self, values: np.ndarray, splits: Sequence[str]) -> None:
        """Count the values of some samples (n, *shape)."""
        if not (self._spec.bounded and len(values)):
            return
        if self._counts is None:
            lows, highs = zip((int(values.min()), int(values.max())), *self._ends, strict=True)
            self._ends = [(min(lows), max(highs))]
            return
        train = np.asarray(splits) == "train"
        for counts, chosen in zip(self._counts, (train, ~train), strict=True):
            flat = values[chosen].ravel()
            for start in range(0, len(flat), COUNTED_AT_ONCE):
                counts += np.bincount(flat[start : start + COUNTED_AT_ONCE], minlength=len(counts))

    def settled(self) -> SampleSpec:
        """The spec, with its range in numbers; warns where it does not suit the values. `InputError` if there is no
        train pixel that a range of `data` could follow from."""
        if self._counts is not None:
            return self._settled(self._counts[0], self._counts.sum(axis=0))
        if self._ends:
            _warn_if_hardly_used(self._spec, *self._ends[0])
        return self._spec

    def _settled(self, train: np.ndarray, counts: np.ndarray) -> SampleSpec:
        if not counts.any():
            return self._spec
        low, high = np.flatnonzero(counts)[[0, -1]].tolist()
        if self._spec.preprocessing[RANGE] == OPEN_RANGE:
            spec = self._spec.with_range(*_range_of(train))
            _tell_range(spec, low, high)
            return spec
        _warn_if_hardly_used(self._spec, low, high)
        _warn_if_outside(self._spec, counts)
        return self._spec


def _range_of(counts: np.ndarray) -> tuple[int, int]:
    """The range of `data` for these counts of each value; all values that there are, where that would be a single one,
    and one value more for constant images."""
    if not counts.any():
        raise InputError(
            "no image is in the train split, so there is no range to scale by: give more images, or source.range=full",
            options={"source.range": "full"},
        )
    shares = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(shares, [CUT_AT_AN_END, 1 - CUT_AT_AN_END]).tolist()
    if low == high:
        low, high = np.flatnonzero(counts)[[0, -1]].tolist()
    return low, max(high, low + 1)


def _tell_range(spec: SampleSpec, lowest: int, highest: int) -> None:
    low, high = spec.range
    log.info(
        "images of %s: %d to %d (0.1 %% to 99.9 %% of the train split's pixels; all: %d to %d) become 0 to 1",
        *(spec.dtype, low, high, lowest, highest),
    )
    if highest - low > FAR * (high - low):
        log.warning(
            "some pixels (at most 0.1 %%) lie far above the range of %d to %d, up to %d, and are cut to it: if they "
            "are no faults of a camera, give source.range=[%d,%d]",
            *(low, high, highest, lowest, highest),
        )


def _warn_if_hardly_used(spec: SampleSpec, lowest: int, highest: int) -> None:
    low, high = spec.range
    used = (highest - lowest + 1) / (high - low + 1)
    if used < LEAST_USED:
        log.warning(
            "the images' values are %d to %d, which is %.1f %% of the range of %g to %g that becomes 0 to 1: to a "
            "model they look alike. Give source.range=data (sources of image files and arrays), or scale the values",
            *(lowest, highest, 100 * used, low, high),
        )


def _warn_if_outside(spec: SampleSpec, counts: np.ndarray) -> None:
    low, high = spec.range
    values = np.arange(len(counts))
    below, above = int(counts[values < low].sum()), int(counts[values > high].sum())
    share = (below + above) / counts.sum()
    if share > ODD_CUT:
        log.warning(
            "%.1f %% of the pixels lie outside the range of %g to %g and are cut to it (%s below, %s above): give a "
            "source.range that holds them, or train on such images",
            *(100 * share, low, high, f"{below:,}", f"{above:,}"),
        )
    elif share:
        log.info("%.2g %% of the pixels lie outside the range of %g to %g and are cut to it", 100 * share, low, high)
