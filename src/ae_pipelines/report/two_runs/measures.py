"""What both runs measured, side by side, and which differences are more than chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.intervals import BOUNDS, Interval
from ae_pipelines.report.shown.scales import shown
from ae_pipelines.report.shown.words import STAGES, Form, Metric, metric, written
from ae_pipelines.report.two_runs.side import Side

CONTROL = "pca_"
UNCOMPARED = ("seconds", "per_second")
"""Endings of names that say how busy the machine was."""
OF_EPOCHS = ("train/", "validation/", "loss", "gradient_norm", "learning_rate")
"""Beginnings of names of what is on record of each epoch, and no result."""

Verdict = Literal["better", "worse", "other", "within", ""]
"""Of this run: beyond chance better or worse, or other where neither is better; within chance; no interval."""


@dataclass(frozen=True)
class Cell:
    """What one run measured."""

    value: str = ""
    interval: str = ""
    rows: str = ""
    control: str = ""


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    words: str
    name: str
    """As the runs call it."""
    here: Cell
    there: Cell
    difference: str
    interval: str
    verdict: Verdict
    unit: str = ""
    """What the difference is in: percentage points, or the measure's own unit."""


def measures(here: Side, there: Side) -> dict[str, list[Measure]]:
    """By title of the stage: what either run measured, without what is the same in both."""
    tables = {
        title: list(_rows(stage, here.metrics.get(stage, {}), there.metrics.get(stage, {})))
        for stage, title in STAGES.items()
    }
    return {title: rows for title, rows in tables.items() if rows}


def _rows(stage: str, ours: dict[str, float], theirs: dict[str, float]) -> Iterator[Measure]:
    for name in dict.fromkeys([*ours, *theirs]):
        if (
            name.startswith((CONTROL, *OF_EPOCHS))
            or name.endswith(UNCOMPARED)
            or _is_bound(name, ours)
            or _is_bound(name, theirs)
        ):
            continue
        if ours.get(name) == theirs.get(name) and _bounds(name, ours) is None:
            continue
        known = metric(stage, name)
        here, there = (_cell(name, metrics, known) for metrics in (ours, theirs))
        unit = " points" if known.form in ("share", "percent") else ""
        yield Measure(known.words, name, here, there, *_difference(name, ours, theirs, known), unit)


def _cell(name: str, metrics: dict[str, float], known: Metric) -> Cell:
    if name not in metrics:
        return Cell()
    bounds, rows, control = _bounds(name, metrics), metrics.get(known.counted), metrics.get(f"{CONTROL}{name}")
    return Cell(
        written(metrics[name], known.form),
        "" if bounds is None else " to ".join(written(bound, known.form) for bound in bounds),
        "" if rows is None else f"{int(rows):,}",
        "" if control is None else written(control, known.form),
    )


def _difference(name: str, ours: dict[str, float], theirs: dict[str, float], known: Metric) -> tuple[str, str, Verdict]:
    """The difference, its 95 % interval, and what to make of it."""
    if name not in ours or name not in theirs or known.form == "yes":
        return "", "", ""
    gap, bounds, other_bounds = ours[name] - theirs[name], _bounds(name, ours), _bounds(name, theirs)
    if not isfinite(gap):
        return "", "", ""
    text = signed(gap, known.form)
    if bounds is None or other_bounds is None:
        return text, "", ""
    low, high = intervals.difference(ours[name], bounds, theirs[name], other_bounds)
    return text, f"{signed(low, known.form)} to {signed(high, known.form)}", _verdict(gap, low, high, known.better)


def _verdict(gap: float, low: float, high: float, better: str) -> Verdict:
    if low <= 0 <= high:
        return "within"
    if not better:
        return "other"
    return "better" if (gap > 0) == (better == "higher") else "worse"


def signed(gap: float, form: Form) -> str:
    """A difference; of shares in percentage points."""
    if gap == 0:
        return "0"
    size = abs(gap)
    if form in ("share", "percent"):
        text = f"{100 * size if form == 'share' else size:.1f}"
    else:
        text = f"{size:,.0f}" if form == "count" else f"{size:.3g}" if 1e-4 <= size < 1000 else shown(size)
    return f"{'+' if gap > 0 else '−'}{text}"


def _bounds(name: str, metrics: dict[str, float]) -> Interval | None:
    low, high = (metrics.get(f"{name}_{bound}") for bound in BOUNDS)
    return None if low is None or high is None else (low, high)


def _is_bound(name: str, metrics: dict[str, float]) -> bool:
    return any(name.endswith(f"_{bound}") and name.removesuffix(f"_{bound}") in metrics for bound in BOUNDS)
