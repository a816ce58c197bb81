"""Small charts as inline SVG: lines with their names beside them, intervals as bands, histograms, curves.

What a chart shows is also said in words (`says`), for those who do not see it. Colours come from the style by class
(`ours`, `control`, `plain`), since the page's policy allows no style in elements, and so that they suit the dark too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from ae_pipelines.report.shown.drawing import LETTER, LINE, grid, label, svg, tenth, x_axis
from ae_pipelines.report.shown.scales import Axis, Scale, shown

WIDTH, HEIGHT = 400, 240
"""Of charts, in units of their own: on a phone a unit is a little less than a pixel."""
BOLD = 9.0
"""The same of the names of lines."""
TOP, BOTTOM = 26.0, 42.0
MOST_POINTS = 300
"""A curve of more values is drawn by the least and the largest of each few."""


@dataclass(frozen=True)
class Line:
    """A line of a chart; NaN is left out."""

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    role: str = "ours"
    """Class of its colour: `ours`, `control` or `plain`."""
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    """Bounds of the band around it."""
    dots: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line with what it means."""

    x: float
    name: str


def line_chart(lines: Sequence[Line], says: str, x: Axis, y: Axis, marks: Sequence[Mark] = ()) -> Markup:
    """Lines over one x axis, each with its name at its end."""
    margin = BOLD * max((len(line.name) for line in lines), default=0) + 10
    low, high = _bounds(lines)
    up = y.scale(low, high, HEIGHT - BOTTOM, TOP + (LINE if marks else 0))
    left = LETTER * max(len(shown(tick)) for tick in up.ticks()) + 12
    every = np.concatenate([np.asarray(line.x, float) for line in lines] + [[mark.x for mark in marks]])
    across = x.scale(float(every.min()), float(every.max()), left + 4, WIDTH - margin)
    parts = [grid(across, up, x, y), *(_band(line, across, up) for line in lines if line.low is not None)]
    parts += [_path(line, across, up) for line in lines]
    parts += [_mark(mark, across, TOP, HEIGHT - BOTTOM) for mark in marks]
    return svg(WIDTH, HEIGHT, says, [*parts, _names(lines, across, up)], "chart")


def histograms(groups: dict[str, np.ndarray], says: str, x: Axis, marks: Sequence[Mark] = ()) -> Markup:
    """A histogram of each group, one below the other over the same axis, as shares of the group."""
    every = np.concatenate(list(groups.values()))
    across = x.scale(float(every.min()), float(every.max()), 12, WIDTH - 12, tight=True)
    edges = across.edges(int(np.clip(2 * np.sqrt(min(map(len, groups.values()))), 12, 48)))
    each, top = 70.0, TOP + (LINE if marks else 0)
    bottom = top + each * len(groups)
    parts = [
        _strip(name, values, number, edges, across, top + each * (number + 1))
        for number, (name, values) in enumerate(groups.items())
    ]
    axis = [x_axis(across, bottom, x), *(_mark(mark, across, TOP, bottom) for mark in marks)]
    return svg(WIDTH, bottom + BOTTOM, says, [*parts, *axis], "chart")


def curves(values: dict[str, np.ndarray], says: str) -> Markup:
    """Values of a series or a vector as curves over each other, by the class of their colour; without axes."""
    every = np.concatenate(list(values.values()))
    up = Scale(float(every.min()), float(every.max()), 76, 4)
    parts = []
    for role, one in values.items():
        places, heights = thinned(one)
        across = Scale(0, max(1, len(one) - 1), 2, 198)
        parts.append(_path(Line("", places, heights, role), across, up))
    return svg(200, 80, says, parts, "curves")


def bar(share: float) -> Markup:
    """A bar for a share from 0 to 1, as decoration of a number beside it."""
    width = Markup('<rect class="all" width="100" height="10"/><rect class="part" width="{}" height="10"/>')
    return (
        Markup('<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">')
        + width.format(tenth(100 * min(1.0, max(0.0, share))))
        + Markup("</svg>")
    )


def thinned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and values to draw: all, or of many the least and the largest of each few, so that no peak is lost."""
    places = np.arange(len(values))
    if len(values) <= MOST_POINTS:
        return places, values
    parts = np.array_split(places, MOST_POINTS // 2)
    kept = [sorted({part[values[part].argmin()], part[values[part].argmax()]}) for part in parts]
    chosen = np.array([place for pair in kept for place in pair])
    return chosen, values[chosen]


# -- parts ---------------------------------------------------------------------------------------------------


def _bounds(lines: Sequence[Line]) -> tuple[float, float]:
    parts = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
    every = np.concatenate([np.asarray(part, float) for part in parts])
    return float(np.nanmin(every)), float(np.nanmax(every))


def _path(line: Line, across: Scale, up: Scale) -> Markup:
    places = [(across(x), up(y)) for x, y in zip(line.x, line.y, strict=True) if np.isfinite(y)]
    points = " ".join(f"{tenth(x)},{tenth(y)}" for x, y in places)
    drawn = Markup('<polyline class="line {}" points="{}"/>').format(line.role, points)
    if not line.dots and len(places) > 1:
        return drawn
    dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.5"/>')
    return drawn + Markup("").join(dot.format(line.role, tenth(x), tenth(y)) for x, y in places)


def _band(line: Line, across: Scale, up: Scale) -> Markup:
    low, high = (list(zip(line.x, edge or (), strict=True)) for edge in (_listed(line.low), _listed(line.high)))
    points = " ".join(f"{tenth(across(x))},{tenth(up(y))}" for x, y in [*high, *reversed(low)])
    return Markup('<polygon class="band {}" points="{}"/>').format(line.role, points)


def _listed(values: Sequence[float] | np.ndarray | None) -> list[float]:
    return [] if values is None else [float(value) for value in values]


def _mark(mark: Mark, across: Scale, top: float, bottom: float) -> Markup:
    x = across(mark.x)
    anchor = "end" if x > WIDTH * 0.6 else "start"
    beside = -4 if anchor == "end" else 4
    line = Markup('<line class="mark" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    return line.format(tenth(x), tenth(x), tenth(top - 6), tenth(bottom)) + label(
        x + beside, top + 3, mark.name, anchor, "mark"
    )


def _names(lines: Sequence[Line], across: Scale, up: Scale) -> Markup:
    """Each line's name at its end, moved where two would lie on each other."""
    ends = sorted(((up(_last(line.y)), line) for line in lines), key=lambda end: end[0])
    parts, lowest = [], -np.inf
    room = HEIGHT - BOTTOM - LINE * len(ends)
    for number, (height, line) in enumerate(ends):
        place = max(min(height + 4, room + LINE * (number + 1)), lowest + LINE)
        lowest = place
        x = across(float(np.asarray(line.x, float)[-1]))
        parts.append(label(x + 7, place, line.name, "start", f"name {line.role}"))
    return Markup("").join(parts)


def _last(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, float)
    return float(known[np.isfinite(known)][-1])


def _strip(name: str, values: np.ndarray, number: int, edges: np.ndarray, across: Scale, bottom: float) -> Markup:
    """The bars of one group, and its name above them."""
    shares = np.histogram(values, edges)[0] / max(1, len(values))
    height = 46 / max(float(shares.max()), 1e-9)
    x = [across(edge) for edge in edges]
    corners = [
        f"{tenth(left)},{tenth(bottom - share * height)} {tenth(right)},{tenth(bottom - share * height)}"
        for left, right, share in zip(x[:-1], x[1:], shares, strict=True)
    ]
    points = f"{tenth(x[0])},{tenth(bottom)} {' '.join(corners)} {tenth(x[-1])},{tenth(bottom)}"
    return (
        Markup('<polygon class="bars group-{}" points="{}"/>').format(number, points)
        + Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            tenth(across.start), tenth(across.end), tenth(bottom), tenth(bottom)
        )
        + label(across.start, bottom - 52, f"{name} ({len(values):,})", "start", f"name group-{number}")
    )
