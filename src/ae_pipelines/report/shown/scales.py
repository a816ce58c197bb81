"""From values to places in a chart, and which values its axes name."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np

TICKS = 5
"""About how many values an axis names."""
FIRST, SECOND = (1, 2, 5), (1,)
"""Multiples of powers of ten that a logarithmic axis names if it is short, and if it is long."""


@dataclass(frozen=True)
class Axis:
    """What an axis stands for."""

    name: str
    log: bool = False
    from_zero: bool = False
    ticks: Sequence[float] | None = None
    """The values it names; None: round ones."""
    most: float | None = None
    """Where it ends; None: with the largest value."""

    def scale(self, low: float, high: float, start: float, end: float, *, tight: bool = False) -> "Scale":
        """The scale for values between these, and places between those; `tight` leaves no room beyond the values."""
        low, high = (0.0 if self.from_zero else low), (high if self.most is None else self.most)
        if not high > low:  # one value, or none that is a number
            low, high = (low / 2, low * 2) if self.log else (low - 0.5, low + 0.5)
        if not (tight or self.log or self.from_zero):
            low -= 0.04 * (high - low)
        return Scale(low, high, start, end, self.log, self.ticks)


@dataclass(frozen=True)
class Scale:
    """Values between `low` and `high` at places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    given: Sequence[float] | None = None

    def __call__(self, value: float) -> float:
        low, high, at = (log10(max(part, 1e-300)) if self.log else part for part in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(1.02, max(-0.02, share))

    def edges(self, bins: int) -> np.ndarray:
        """Edges of so many bins, equally wide in the chart."""
        spaced = np.geomspace if self.log else np.linspace
        return spaced(self.low, self.high, bins + 1)

    def ticks(self) -> list[float]:
        """Round values to name, ascending."""
        if self.given is not None:
            return [tick for tick in self.given if self.low <= tick <= self.high]
        found = self._powers() if self.log else []
        return found if len(found) > 1 else self._round()

    def _round(self) -> list[float]:
        step = (self.high - self.low) / TICKS
        power = 10.0 ** floor(log10(step)) if step > 0 else 1.0
        step = next(part * power for part in (1, 2, 5, 10) if part * power >= step * 0.999)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]

    def _powers(self) -> list[float]:
        span = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        parts = FIRST if self.high / self.low < 200 else SECOND
        every = max(1, len(span) // 6) if parts is SECOND else 1
        found = [part * 10.0**power for power in span if power % every == 0 for part in parts]
        return [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]


def shown(value: float, digits: int = 3) -> str:
    """A number as people write it, with so many digits that matter."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else "none"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.1e}".replace("e+0", "e")
    return f"{value:.{digits}g}" if abs(value) >= 1e-4 else f"{value:.1e}".replace("e-0", "e-")
