"""Charts of a study's trials: one after the other, against each field, against each other, and their curves."""

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from ae_pipelines.report.shown.charts import BOTTOM, HEIGHT, TOP, WIDTH, thinned
from ae_pipelines.report.shown.drawing import LETTER, LINE, grid, label, svg, tenth, x_axis
from ae_pipelines.report.shown.scales import Axis, Scale, shown
from ae_pipelines.report.tuned.fields import Field, axis_of
from ae_pipelines.report.tuned.trials import FAR_OFF, Objective, Trials, cut, mark
from ae_pipelines.tuning.trial import Outcome

RIGHT = WIDTH - 14.0
"""Where charts without names at their right side end."""
MANY_LINES = 60
"""More lines than so many are drawn fainter, so that they stay apart."""
STRIP = 42.0
"""Height of a choice's strip, with its name."""
Point = tuple[float, float, Outcome]


def history(trials: Trials, objective: Objective) -> Markup:
    """The objective of each trial by its number, and the best so far; below the axis those that were not judged."""
    outcomes = trials.study.outcomes
    points = [(float(one.number), value, one) for one in outcomes if (value := trials.at(objective, one)) is not None]
    last = max(outcome.number for outcome in outcomes)
    y, x = axis_of([value for _, value, _ in points], objective.title), Axis("trial", ticks=_whole(last))
    up = _up(y, [value for _, value, _ in points], HEIGHT - BOTTOM - LINE)
    across = x.scale(-0.5, last + 0.5, _left(up), RIGHT, tight=True)
    parts = [grid(across, up, x, y, HEIGHT - BOTTOM)]
    parts.append(_best_so_far(points, objective, across, up))
    parts += [
        _marked(trials, one, across(one.number), HEIGHT - BOTTOM - 6) for one in outcomes if objective.of(one) is None
    ]
    parts += _marks(trials, points, across, up)
    return svg(WIDTH, HEIGHT, _history_says(trials, objective, points), parts, "chart trials")


def against(trials: Trials, field: Field, objective: Objective) -> Markup:
    """The objective against the values of a field, a dot a complete trial."""
    found = [
        (place, value, one)
        for one in trials.study.outcomes
        if (value := trials.at(objective, one)) is not None and (place := field.place(one.values)) is not None
    ]
    says = f"{objective.title} of {len(found)} trials against {field.path}."
    return (
        _strips(trials, field, objective, found, says)
        if field.choices
        else _scatter(trials, found, field.axis, axis_of([value for _, value, _ in found], objective.title), says)
    )


def front(trials: Trials, across: Objective, up: Objective) -> Markup:
    """Two objectives against each other; the best trials are joined where these are all there are."""
    found = [
        (x, y, one)
        for one in trials.study.outcomes
        if (x := trials.at(across, one)) is not None and (y := trials.at(up, one)) is not None
    ]
    best = sorted((x, y) for x, y, one in found if one.number in trials.front)
    says = f"{up.title} against {across.title}: {len(best)} of {len(found)} trials are not worse than another in both."
    of_x, of_y = axis_of([x for x, _, _ in found], across.title), axis_of([y for _, y, _ in found], up.title)
    return _scatter(trials, found, of_x, of_y, says, best if len(trials.objectives) == 2 else [])


def far_larger(trials: Trials) -> set[int]:
    """Numbers of the trials whose last loss is far larger than those of most, as that of another kind of model is."""
    last = {one.number: values[-1] for one in trials.study.outcomes if len(values := _finite(one.curve)[1])}
    low, high = np.quantile(list(last.values()), (0.25, 0.75)) if last else (0.0, 0.0)
    return {number for number, value in last.items() if value > high + FAR_OFF * (high - low)}


def curves(trials: Trials) -> Markup | None:
    """The validation loss of trials by epoch, without those that are `far_larger`; None if no trial has any."""
    left_out = far_larger(trials)
    shown_ = [(one, *_finite(one.curve)) for one in trials.in_order_of_drawing() if one.number not in left_out]
    shown_ = [(one, places, values) for one, places, values in shown_ if len(values)]
    if not shown_:
        return None
    every = np.concatenate([values for _, _, values in shown_])
    longest = max(int(places[-1]) for _, places, _ in shown_)
    y, x = axis_of(every, "validation loss", times=5), Axis("epoch", ticks=_whole(longest))
    up = _up(y, every)
    across = x.scale(1, longest, _left(up), RIGHT, tight=True)
    lines = [_curve(trials.role(one), one.number, places, values, across, up) for one, places, values in shown_]
    says = f"Validation loss by epoch of {len(lines)} trials, at most {longest} epochs."
    kind = "chart trials many" if len(lines) > MANY_LINES else "chart trials"
    return svg(WIDTH, HEIGHT, says, [grid(across, up, x, y), *lines], kind)


# -- parts ---------------------------------------------------------------------------------------------------


def _scatter(
    trials: Trials, found: Sequence[Point], x: Axis, y: Axis, says: str, joined: Sequence[tuple[float, float]] = ()
) -> Markup:
    up = _up(y, [value for _, value, _ in found])
    across = x.scale(*_bounds([place for place, _, _ in found]), _left(up) + 6, RIGHT)
    line = _polyline("joined", [(across(at), up(value)) for at, value in joined]) if joined else Markup("")
    return svg(WIDTH, HEIGHT, says, [grid(across, up, x, y), line, *_marks(trials, found, across, up)], "chart trials")


def _strips(trials: Trials, field: Field, objective: Objective, found: Sequence[Point], says: str) -> Markup:
    """A strip for each choice, whose names may be long."""
    axis = axis_of([value for _, value, _ in found], objective.title)
    across = axis.scale(*_bounds([value for _, value, _ in found]), 12, RIGHT)
    bottom = TOP - 12 + STRIP * len(field.choices)
    parts = []
    for number, name in enumerate(field.choices):
        middle = TOP - 12 + STRIP * number + 29
        parts.append(label(4, middle - 15, cut(name, 50), "start"))
        parts.append(
            Markup('<line class="grid" x1="4" x2="{0}" y1="{1}" y2="{1}"/>').format(tenth(RIGHT), tenth(middle))
        )
    by_role = {one.number: (value, TOP - 12 + STRIP * place + 29, one) for place, value, one in found}
    for one in trials.in_order_of_drawing():
        if one.number in by_role:
            value, height, _ = by_role[one.number]
            parts.append(_marked(trials, one, across(value), height))
    return svg(WIDTH, bottom + BOTTOM, says, [*parts, x_axis(across, bottom + 4, axis)], "chart trials")


def _marks(trials: Trials, points: Sequence[Point], across: Scale, up: Scale) -> Iterator[Markup]:
    places = {one.number: (across(x), up(y)) for x, y, one in points}
    for one in trials.in_order_of_drawing():
        if one.number in places:
            yield _marked(trials, one, *places[one.number])


def _marked(trials: Trials, outcome: Outcome, x: float, y: float) -> Markup:
    return mark(trials.role(outcome), x, y, outcome.number)


def _best_so_far(points: Sequence[Point], objective: Objective, across: Scale, up: Scale) -> Markup:
    steps: list[tuple[float, float]] = []
    best = None
    for number, value, _ in points:
        better = best is None or (value > best if objective.higher_is_better else value < best)
        if better:
            steps += [(across(number), steps[-1][1])] if steps else []
            steps.append((across(number), up(value)))
            best = value
    return _polyline("best-so-far", [*steps, (across.end, steps[-1][1])]) if steps else Markup("")


def _history_says(trials: Trials, objective: Objective, points: Sequence[Point]) -> str:
    if not points:
        return f"{objective.title}: no trial is complete."
    values = {one.number: objective.of(one) or 0.0 for _, _, one in points}
    best = max(values.values()) if objective.higher_is_better else min(values.values())
    number = next(number for number, value in values.items() if value == best)
    first = values.get(0)
    start = "" if first is None else f" The recipe as it was has {shown(first, 4)}."
    return (
        f"{objective.title} of {len(points)} complete trials. The best is {shown(best, 4)}, of trial {number}.{start}"
    )


def _curve(role: str, number: int, places: np.ndarray, values: np.ndarray, across: Scale, up: Scale) -> Markup:
    points = [(across(place), up(value)) for place, value in zip(places, values, strict=True)]
    if len(points) == 1:  # a line of one point is not seen
        points = [(points[0][0] - 2, points[0][1]), (points[0][0] + 2, points[0][1])]
    return _polyline(f"trial-line {role}", points, number)


def _finite(curve: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Epochs, from 1, and their losses, as far as these are numbers; of many epochs only some."""
    values = np.asarray(curve, float)
    known = np.flatnonzero(np.isfinite(values))
    places, kept = thinned(values[known])
    return known[places] + 1, kept


def _polyline(kind: str, places: Sequence[tuple[float, float]], number: int | None = None) -> Markup:
    points = " ".join(f"{tenth(x)},{tenth(y)}" for x, y in places)
    whose = Markup("") if number is None else Markup(' data-trial="{}"').format(number)
    return Markup('<polyline class="{}"{} points="{}"/>').format(kind, whose, points)


def _up(axis: Axis, values: Sequence[float] | np.ndarray, bottom: float = HEIGHT - BOTTOM) -> Scale:
    return axis.scale(*_bounds(values), bottom, TOP)


def _left(up: Scale) -> float:
    """Where a chart starts, so that what its y axis names has room."""
    return LETTER * max(len(shown(tick)) for tick in up.ticks()) + 16


def _bounds(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    return (float(np.min(values)), float(np.max(values))) if len(values) else (0.0, 1.0)


def _whole(last: int) -> list[float]:
    """Whole numbers to name, up to the last."""
    step = next(part * 10**power for power in range(9) for part in (1, 2, 5) if last <= 8 * part * 10**power)
    return [float(number) for number in range(0, last + 1, step)]
