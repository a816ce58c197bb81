"""What surrounds a piece of work: the run it belongs to, who listens to its metrics, its progress bar."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

SAY_EVERY = 5.0
"""Seconds between plain lines where there is no terminal for a bar."""

Listener = Callable[[dict[str, float], int], None]

Parts = Callable[[str, dict[str, Any]], AbstractContextManager["Run"]]
"""Opens a part of a run, by its name and parameters."""


@dataclass(frozen=True)
class Run:
    """What work belongs to."""

    id: str
    listener: Listener
    """Hears what the work reports (MLflow, say)."""
    part: Parts | None = None
    """None: parts are not told apart."""


_runs: list[Run] = []


@contextmanager
def run(run: Run) -> Iterator[None]:
    """Within this block, work belongs to `run`."""
    _runs.append(run)
    try:
        yield
    finally:
        _runs.remove(run)


@contextmanager
def part(name: str, parameters: dict[str, Any]) -> Iterator[None]:
    """Within this block, work belongs to a part of the current run, which has parameters and metrics of its own."""
    if not _runs or (open_part := _runs[-1].part) is None:
        yield
        return
    with open_part(name, parameters) as opened, run(opened):
        yield


def run_id() -> str | None:
    """The id of the run that the current work belongs to; None outside any."""
    return _runs[-1].id if _runs else None


def report(metrics: dict[str, float], step: int) -> None:
    """Tell whoever listens to the current run these values at this step."""
    if _runs:
        _runs[-1].listener(metrics, step)


_skipped: list[str] = []


def skip(reason: str) -> None:
    """Say that there is nothing to do, so that whoever started the work can tell it from work that was done."""
    log.info("nothing to do: %s", reason)
    _skipped.append(reason)


def skipped() -> str | None:
    """Why there was nothing to do; None if there was, or nothing has run yet."""
    return _skipped[-1] if _skipped else None


def begin() -> None:
    """Forget what earlier work in this process said."""
    _skipped.clear()


def bar(*, total: int | None, label: str, unit: str) -> "tqdm[NoReturn]":
    """A progress bar with a rate and a time left, shown only in a terminal (`bar.disable` says so)."""
    from tqdm import tqdm

    scale = unit == "byte"  # "9.2M", not "9200000"
    return tqdm(total=total, desc=label, unit=unit, unit_scale=scale, leave=False, disable=None, dynamic_ncols=True)


class Steps:
    """A progress bar in a terminal; elsewhere a plain line now and then, with a rate and the time left."""

    def __init__(self, total: int | None, label: str, unit: str) -> None:
        self._bar = bar(total=total, label=label, unit=unit)
        self._total, self._label, self._unit = total, label, unit
        self._done = 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._bar.update(count)
        self._done += count
        now = time.monotonic()
        if self._bar.disable and now - self._said >= SAY_EVERY:
            self._said = now
            rate = self._done / (now - self._started)
            of, left = "", ""
            if self._total:
                of, left = f" of {self._total:,}", f", {(self._total - self._done) / rate:.0f} s left"
            log.info("%s: %s%s %ss, %.0f/s%s", self._label, f"{self._done:,}", of, self._unit, rate, left)
