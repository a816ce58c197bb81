"""Lines of all samples that are neither images nor tables: what one sees of a series or a vector."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ae_pipelines.report.page_data.packed import BASE64, Block
from ae_pipelines.samples.store import Samples

POINTS = (96, 64, 48, 32, 24, 16, 12, 8)
"""Points of a line, from the best on."""
MOST_LINES = 3
"""Of the channels of a series, the first ones."""
RANGE = (0.005, 0.995)
"""Quantiles of the values between which lines are drawn: the same for all samples, so that they compare."""
RANGE_ROWS = 2_000
"""Samples by which the range is set."""
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Sparklines:
    """Lines of the samples of a page."""

    values: np.ndarray
    """uint8 (n, lines, points)."""
    low: float
    high: float
    """What 0 and 255 stand for."""

    def packed(self, block: Block) -> dict[str, Any]:
        """What the page is told of them; their values are in the block."""
        block.add("sparklines", self.values)
        return {"lines": self.values.shape[1], "points": self.values.shape[2], "low": self.low, "high": self.high}


def sparklines(samples: Samples, rows: np.ndarray, most_bytes: float) -> Sparklines:
    """As many points a line as fit into so many bytes of the page."""
    *before, length = samples.spec.shape
    lines = min(MOST_LINES, prod(before))
    bytes_of = {points: len(rows) * lines * points * BASE64 for points in _points(length)}
    points = next((points for points, size in bytes_of.items() if size <= most_bytes), min(bytes_of))
    low, high = _range(samples, rows)
    values = np.empty((len(rows), lines, points), np.uint8)
    start = 0
    for block in _blocks(samples, rows):
        shown = _averaged(block.reshape(len(block), -1, length)[:, :lines], points)
        values[start : start + len(block)] = np.rint((shown - low) / (high - low) * 255).clip(0, 255)
        start += len(block)
    return Sparklines(values, low, high)


def _points(length: int) -> list[int]:
    """How many points a line of this length may have, from the best on."""
    return [length, *(points for points in POINTS if points < length)] if length <= POINTS[0] else [*POINTS]


def _blocks(samples: Samples, rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield samples.spec.as_input(samples.take(rows[start : start + ROWS_AT_ONCE]))


def _averaged(lines: np.ndarray, points: int) -> np.ndarray:
    """(n, lines, length) as (n, lines, points): means of pieces that are as long as each other, but for one."""
    starts = np.arange(points) * lines.shape[-1] // points
    return np.add.reduceat(lines, starts, axis=-1) / np.diff([*starts, lines.shape[-1]])


def _range(samples: Samples, rows: np.ndarray) -> tuple[float, float]:
    some = samples.spec.as_input(samples.take(rows[:: -(-len(rows) // RANGE_ROWS)]))
    low, high = (float(value) for value in np.quantile(some, RANGE))
    return low, high if high > low else low + 1.0
