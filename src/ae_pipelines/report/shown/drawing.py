"""What charts are drawn of: SVG elements, axes with their names, text."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ae_pipelines.report.shown.scales import Axis, Scale, shown

LETTER = 7.6
"""Width of a letter, about."""
LINE = 15.0
"""Height of a line of text."""


def svg(width: float, height: float, says: str, parts: Sequence[Markup], kind: str) -> Markup:
    """A picture that is `says` to those who do not see it; `kind` is its class."""
    return (
        Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            kind, tenth(width), tenth(height), says
        )
        + Markup("").join(parts)
        + Markup("</svg>")
    )


def grid(across: Scale, up: Scale, x: Axis, y: Axis, bottom: float | None = None) -> Markup:
    """Lines at the values that the y axis names, and both axes, of which x lies where y starts or at `bottom`."""
    parts = [
        Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            tenth(across.start), tenth(across.end), tenth(up(tick)), tenth(up(tick))
        )
        + label(across.start - 6, up(tick) + 4, shown(tick), "end")
        for tick in up.ticks()
    ]
    return Markup("").join(
        [*parts, label(0, 13, y.name, "start", "title"), x_axis(across, up.start if bottom is None else bottom, x)]
    )


def x_axis(across: Scale, bottom: float, x: Axis) -> Markup:
    """The x axis with its name and as many of its values as have room."""
    parts = [
        Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            tenth(across.start), tenth(across.end), tenth(bottom), tenth(bottom)
        )
    ]
    taken = -np.inf
    for tick in across.ticks():
        half = LETTER * len(shown(tick)) / 2
        if across(tick) - half < taken + LETTER:  # it would run into the one before
            continue
        taken = across(tick) + half
        parts.append(label(across(tick), bottom + LINE + 1, shown(tick), "middle"))
    return Markup("").join(
        [*parts, label((across.start + across.end) / 2, bottom + 2 * LINE + 4, x.name, "middle", "title")]
    )


def label(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Markup:
    """A line of text; `anchor` says which of its ends, or its `middle`, is at x."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, tenth(x), tenth(y), anchor, text
    )


def tenth(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
