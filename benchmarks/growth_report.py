"""What `growth.py` has measured, as a table with the exponent of each stage and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from paired import write_table

from ae_pipelines.plots.figure import entitle, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = Path(__file__).parents[1] / "docs/images/growth.png"
FROM = 100_000
"""Exponents are of so many rows and more: below, what a stage does once takes most of the time."""
FURTHER = 100_000_000
MARKERS = "osD^vP*X"

Row = dict[str, Any]


def exponent(rows: list[Row]) -> float | None:
    """Slope of the logarithm of seconds over that of the number of rows, by least squares; None for fewer than two
    numbers of rows from `FROM` on."""
    some = [row for row in rows if row["rows"] >= FROM]
    if len(some) < 2:
        return None
    return float(np.polyfit(*(np.log([row[name] for row in some]) for name in ("rows", "seconds")), 1)[0])


def seconds_further(rows: list[Row]) -> float | None:
    """Seconds for `FURTHER` rows if the last two numbers of rows are on the line that goes on to it."""
    if len(rows) < 2:
        return None
    less, more = rows[-2:]
    slope = np.log(more["seconds"] / less["seconds"]) / np.log(more["rows"] / less["rows"])
    return float(more["seconds"] * (FURTHER / more["rows"]) ** slope)


def bytes_a_row(rows: list[Row]) -> float | None:
    """How much the peak of memory grows with a row, between the two largest numbers of rows."""
    if len(rows) < 2:
        return None
    less, more = rows[-2:]
    return (more["peak"] - less["peak"]) / (more["rows"] - less["rows"])


def report(measured: list[Row], stages: list[str]) -> None:
    """Write the table and the picture of `measured`, which is in the order of the number of rows."""
    by_stage = {name: found for name in stages if (found := [row for row in measured if row["stage"] == name])}
    counts = sorted({row["rows"] for row in measured})
    header = ["stage", *(f"{count:,} rows" for count in counts), "exponent", f"at {FURTHER:,}", "bytes a row"]
    title = "Growth of each stage: seconds, and peak memory of its process (of it, libraries and what is kept at start)"
    write_table("growth", title, header, [_line(name, rows, counts) for name, rows in by_stage.items()])
    _draw(by_stage)


def _line(name: str, rows: list[Row], counts: list[int]) -> list[str]:
    cells = {row["rows"]: f"{_seconds(row['seconds'])}, {_megabytes(row)}" for row in rows}
    slope, further, size = exponent(rows), seconds_further(rows), bytes_a_row(rows)
    shown = ["" if slope is None else f"{slope:.2f}", "" if further is None else _seconds(further)]
    shown.append("" if size is None else f"{size:.0f}")
    return [name, *(cells.get(count, "") for count in counts), *shown]


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.2g} s"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _megabytes(row: Row) -> str:
    return f"{row['peak'] / 1e6:,.0f} ({row['before'] / 1e6:,.0f}) MB"


def _draw(by_stage: dict[str, list[Row]]) -> None:
    figure, axes = new_figure(11, 4.6, columns=2)
    for number, (name, rows) in enumerate(by_stage.items()):
        style = {"marker": MARKERS[number // 10 % len(MARKERS)], "markersize": 4, "color": f"C{number % 10}"}
        slope = exponent(rows)
        label = name if slope is None else f"{name} ({slope:.2f})"
        counts = [row["rows"] for row in rows]
        axes[0, 0].plot(counts, [row["seconds"] for row in rows], label=label, **style)
        axes[0, 1].plot(counts, [row["peak"] / 1e6 for row in rows], **style)
    for axis, label in zip(axes[0], ("seconds", "peak memory of the process, MB"), strict=True):
        axis.set(xscale="log", xlabel="rows", ylabel=label)
        axis.grid(alpha=0.2)
    axes[0, 0].set_yscale("log")
    axes[0, 1].set_ylim(bottom=0)
    _draw_linear(axes[0, 0], [row for rows in by_stage.values() for row in rows])
    figure.legend(loc="outside right center", fontsize=8, title="stage (exponent)", title_fontsize=8)
    entitle(figure, "Seconds and memory of each stage by the number of rows")
    figure.savefig(PICTURE, dpi=110)


def _draw_linear(axis: "Axes", measured: list[Row]) -> None:
    """A line of exponent 1 below all, to compare with."""
    counts = np.array(sorted({row["rows"] for row in measured}), float)
    if len(counts) > 1:
        height = min(row["seconds"] / row["rows"] for row in measured) / 2
        axis.plot(counts, height * counts, color="0.6", linestyle=":", label="twice the rows, twice the time")
