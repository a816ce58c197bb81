"""The winner beside the recipe as it was: what both are worth, and their values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.comparison.scoreboard.board import LESS_IS_BETTER
from ae_pipelines.report.shown.drawing import tenth
from ae_pipelines.report.shown.scales import Scale, shown
from ae_pipelines.report.shown.words import Metric, metric, written
from ae_pipelines.report.tuned.trials import Trials
from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION, Found
from ae_pipelines.tuning.verdict import BEYOND_NOISE

TITLES = {
    VALIDATION: "Validation rows of the study: by these the trials were judged, so the winner looks a little too good",
    TEST: "Test rows: opened once, for these two, after the winner was chosen",
}
MSE = Metric("reconstruction error (mean squared)", "number", "lower")


@dataclass(frozen=True)
class Row:
    """A measure of both."""

    words: str
    name: str
    before: str
    tuned: str
    difference: str
    verdict: str
    """`better`, `worse`, `noise` if the difference is not beyond that of seeds, or empty."""
    deviations: str
    """The difference in standard deviations between seeds, of the two the larger."""
    seeds: str
    picture: Markup


@dataclass(frozen=True)
class Value:
    """A field's value in both."""

    path: str
    before: str
    tuned: str
    between: str

    @property
    def changed(self) -> bool:
        return self.before != self.tuned


def tables(found: Found) -> dict[str, list[Row]]:
    """Rows by title, validation before test; those without rows are left out."""
    higher = dict(zip(found.study.objectives, found.study.higher_is_better, strict=True))
    parts = {TITLES[part]: list(_rows(found.compared, part, higher)) for part in TITLES}
    return {title: rows for title, rows in parts.items() if rows}


def values(trials: Trials) -> list[Value]:
    """Of every field, what the recipe and the winner have."""
    by_number = {one.number: one.values for one in trials.study.outcomes}
    before, tuned = by_number.get(0, {}), by_number.get(trials.winner, {})
    return [Value(field.path, field.whole(before), field.whole(tuned), field.between) for field in trials.fields]


def _rows(compared: pd.DataFrame, part: str, higher: dict[str, bool]) -> Iterator[Row]:
    rows = compared[compared["rows"] == part]
    for name in dict.fromkeys(rows["metric"]):
        here = rows[rows["metric"] == name].drop_duplicates("who").set_index("who").to_dict(orient="index")
        yield _row(str(name), here.get(AS_IT_WAS), here.get(TUNED), higher)


def _row(name: str, before: dict[Any, Any] | None, tuned: dict[Any, Any] | None, higher: dict[str, bool]) -> Row:
    known = _metric(name, higher)
    difference = tuned["mean"] - before["mean"] if before and tuned else np.nan
    noise = max(before["sd"], tuned["sd"]) if before and tuned else np.nan
    deviations = abs(difference) / noise if noise > 0 else np.nan
    return Row(
        words=known.words,
        name=name,
        before=_mean(before, known),
        tuned=_mean(tuned, known),
        difference=_signed(difference, known),
        verdict=_verdict(difference, noise, known),
        deviations=f"{deviations:.1f}" if np.isfinite(deviations) else "",
        seeds=" / ".join(dict.fromkeys(f"{one['seeds']:.0f}" for one in (before, tuned) if one)),
        picture=_picture(before, tuned),
    )


def _verdict(difference: float, noise: float, known: Metric) -> str:
    """By the same rule as the verdict on the study."""
    if not (np.isfinite(difference) and np.isfinite(noise)) or not known.better:
        return ""
    if abs(difference) <= BEYOND_NOISE * noise:
        return "noise"
    return "better" if (difference > 0) == (known.better == "higher") else "worse"


def _metric(name: str, higher: dict[str, bool]) -> Metric:
    """What a measure means; of an objective only its own name is certain."""
    last = name.rpartition("/")[2]
    if name in higher:
        return Metric(name, "number", "higher" if higher[name] else "lower")
    if last == "mse":
        return MSE
    for stage in ("classify", "cluster", "detect", "fit", "embed"):
        if (known := metric(stage, last)).better:
            return known
    return Metric(metric("", name).words, "number", "lower" if last.startswith(LESS_IS_BETTER) else "higher")


def _mean(one: dict[Any, Any] | None, known: Metric) -> str:
    if one is None or not np.isfinite(one["mean"]):
        return "—"
    sd = f" ± {_plain(one['sd'], known)}" if np.isfinite(one["sd"]) else ""
    return f"{_number(one['mean'], known)}{sd}{_unit(known)}"


def _signed(difference: float, known: Metric) -> str:
    if not np.isfinite(difference):
        return "—"
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return f"{sign}{_plain(abs(difference), known)}{' points' if _unit(known) else ''}"


def _number(value: float, known: Metric) -> str:
    if known.form == "count":
        return written(value, known.form)
    scaled = 100 * value if known.form == "share" else value
    return f"{scaled:.2f}" if known.form in ("share", "percent") else shown(scaled, 4)


def _plain(value: float, known: Metric) -> str:
    scaled = 100 * value if known.form == "share" else value
    return f"{scaled:.2f}" if known.form in ("share", "percent") else shown(scaled, 2)


def _unit(known: Metric) -> str:
    return "\u00a0%" if known.form in ("share", "percent") else ""


def _picture(before: dict[Any, Any] | None, tuned: dict[Any, Any] | None) -> Markup:
    """Both means with their deviations, over each other; decoration of the numbers beside it."""
    both = [("as-it-was", 8.0, before), ("tuned", 20.0, tuned)]
    known = [
        (role, y, one["mean"], np.nan_to_num(one["sd"])) for role, y, one in both if one and np.isfinite(one["mean"])
    ]
    if not known:
        return Markup("")
    low, high = min(mean - sd for *_, mean, sd in known), max(mean + sd for *_, mean, sd in known)
    across = Scale(low, high, 8, 112)
    line = Markup(
        '<line class="spread {}" x1="{}" x2="{}" y1="{y}" y2="{y}"/><circle class="spread {}" cx="{}" cy="{y}" r="4"/>'
    )
    drawn = [
        line.format(role, tenth(across(mean - sd)), tenth(across(mean + sd)), role, tenth(across(mean)), y=tenth(y))
        for role, y, mean, sd in known
    ]
    return (
        Markup('<svg class="beside" viewBox="0 0 120 28" aria-hidden="true">')
        + Markup("").join(drawn)
        + Markup("</svg>")
    )
