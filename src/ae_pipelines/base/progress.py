"""Progress of a piece of work: a bar in a terminal, plain lines elsewhere."""

import logging
import time
from multiprocessing import parent_process
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

SAY_EVERY = 5.0
"""Seconds between plain lines where there is no terminal for a bar."""


def bar(*, total: int | None, label: str, unit: str) -> "tqdm[NoReturn]":
    """A progress bar with a rate and a time left, shown only in a terminal (`bar.disable` says so), and by no worker
    process: several would write over one another."""
    from tqdm import tqdm

    scale = unit == "byte"  # "9.2M", not "9200000"
    hidden = None if parent_process() is None else True
    return tqdm(total=total, desc=label, unit=unit, unit_scale=scale, leave=False, disable=hidden, dynamic_ncols=True)


class Steps:
    """A progress bar in a terminal; elsewhere a plain line every `SAY_EVERY` seconds, with a rate and the time left."""

    def __init__(self, total: int | None, label: str, unit: str) -> None:
        self._bar = bar(total=total, label=label, unit=unit)
        self._total, self._label, self._unit = total, label, unit
        self._done = 0
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, count: int) -> None:
        """Count this many more as done."""
        self._bar.update(count)
        self._done += count
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= SAY_EVERY:
            self._last_line = now
            rate = self._done / (now - self._started)
            of, left = "", ""
            if self._total:
                of, left = f" of {self._total:,}", f", {(self._total - self._done) / rate:.0f} s left"
            log.info("%s: %s%s %ss, %.0f/s%s", self._label, f"{self._done:,}", of, self._unit, rate, left)
