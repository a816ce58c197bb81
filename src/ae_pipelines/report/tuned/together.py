"""All fields of all complete trials in one picture: parallel coordinates, a line a trial."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ae_pipelines.report.shown.drawing import label, svg, tenth
from ae_pipelines.report.shown.scales import Axis, Scale, shown
from ae_pipelines.report.tuned.fields import axis_of, short_names
from ae_pipelines.report.tuned.trials import Trials, cut, end_of
from ae_pipelines.tuning.trial import Outcome

TOP, BOTTOM, HEIGHT = 46.0, 300.0, 340.0
NOT_THERE = 326.0
"""Height of trials that have no such field."""
NARROW, WIDE, ALL = 116.0, 190.0, 1150.0
"""Units between two axes, at least and at most, and for all of them."""
SIDE = 70.0
SHADES = 4
"""The better a trial, the stronger its line."""


@dataclass(frozen=True)
class Upright:
    """An axis, and where each trial crosses it."""

    name: str
    scale: Scale
    ticks: list[tuple[float, str]]
    places: dict[int, float]


def together(trials: Trials) -> Markup | None:
    """None if no trial is complete."""
    complete = [one for one in trials.in_order_of_drawing() if trials.objectives[0].of(one) is not None]
    if not complete:
        return None
    uprights = _uprights(trials, complete)
    each = min(WIDE, max(NARROW, ALL / max(1, len(uprights) - 1)))
    width = 2 * SIDE + each * (len(uprights) - 1)
    shades = _shades(trials, complete)
    lines = [_line(trials, one, uprights, each, shades[one.number]) for one in complete]
    axes = [_axis(upright, SIDE + each * number, each) for number, upright in enumerate(uprights)]
    says = f"A line for each of {len(complete)} complete trials through its values of {_listed(trials)}."
    drawn = svg(width, HEIGHT, says, [*lines, *axes], "parallel trials")
    return Markup(str(drawn).replace("<svg ", f'<svg width="{tenth(width)}" height="{tenth(HEIGHT)}" ', 1))


def _listed(trials: Trials) -> str:
    return ", ".join([*(field.path for field in trials.fields), *(one.name for one in trials.objectives)])


def _uprights(trials: Trials, complete: Sequence[Outcome]) -> list[Upright]:
    found = []
    names = short_names([field.path for field in trials.fields])
    for field, name in zip(trials.fields, names, strict=True):
        places = {one.number: place for one in complete if (place := field.place(one.values)) is not None}
        if field.choices:
            scale = Scale(0, max(1, len(field.choices) - 1), BOTTOM, TOP + 14)
            ticks = [(float(at), cut(called, 14)) for at, called in enumerate(field.choices)]
            found.append(Upright(name, scale, ticks, places))
        elif places:
            found.append(_of_numbers(name, field.axis, places))
    for objective in trials.objectives:
        values = {one.number: value for one in complete if (value := trials.at(objective, one)) is not None}
        found.append(_of_numbers(objective.name, axis_of(list(values.values()), ""), values))
    return found


def _of_numbers(name: str, axis: Axis, places: dict[int, float]) -> Upright:
    scale = axis.scale(min(places.values()), max(places.values()), BOTTOM, TOP + 14, tight=True)
    return Upright(name, scale, [(tick, shown(tick)) for tick in scale.ticks()], places)


def _shades(trials: Trials, complete: Sequence[Outcome]) -> dict[int, int]:
    """0 for the worst trials by the first objective, and up."""
    objective = trials.objectives[0]
    values = {one.number: objective.of(one) or 0.0 for one in complete}
    ascending = sorted(values, key=lambda number: values[number], reverse=not objective.higher_is_better)
    return {number: SHADES * place // len(ascending) for place, number in enumerate(ascending)}


def _line(trials: Trials, one: Outcome, uprights: Sequence[Upright], each: float, shade: int) -> Markup:
    points = []
    for number, upright in enumerate(uprights):
        place = upright.places.get(one.number)
        points.append((SIDE + each * number, NOT_THERE if place is None else upright.scale(place)))
    drawn = " ".join(f"{tenth(x)},{tenth(y)}" for x, y in points)
    return Markup('<polyline class="trial-line {} shade-{}" data-trial="{}" points="{}"/>').format(
        trials.role(one), shade, one.number, drawn
    )


def _axis(upright: Upright, x: float, each: float) -> Markup:
    letters = int(each / 7.6)
    line = Markup('<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
        tenth(x), tenth(TOP + 8), tenth(BOTTOM + 6)
    )
    return Markup("").join(
        [
            line,
            label(x, TOP - 14, end_of(upright.name, letters), "middle", "title"),
            *(label(x + 5, upright.scale(tick) + 4, name, "start", "tick over") for tick, name in upright.ticks),
        ]
    )
