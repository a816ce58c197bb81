"""The scoreboard as a picture."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae_pipelines.comparison.scoreboard.board import LESS_IS_BETTER, best_controls
from ae_pipelines.plots import text
from ae_pipelines.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, ROW = 1.25, 0.38
"""Inches of a column and of a row."""
NAME_SIZE, HEAD_SIZE = 9, 8
DIGITS = {"error": 2, "seconds": 0}
"""Digits after the point; 4 for all other metrics."""


def scoreboard(table: pd.DataFrame) -> "Figure":
    """Encoders down, the first metric of each task across (all of `few_labels`-like tasks); mean ± standard deviation
    over seeds. Darker is better; the best of a column is bold, controls are in italics below the recipes, the best of
    them framed: what a recipe has to beat."""
    cells = _headlines(table.assign(best_control=best_controls(table)))
    encoders = list(dict.fromkeys(cells.sort_values("control", kind="stable")["encoder"]))
    columns = list(dict.fromkeys(zip(cells["task"], cells["metric"], cells["transductive"], strict=True)))
    names = text.beside(encoders, ROW, NAME_SIZE)
    heads = [_head(*column) for column in columns]
    lines = max(head.count("\n") + 1 for head in heads)
    figure, axes = _sized(len(encoders), len(columns), max(0.0, names.inches - 1.8), text.height(HEAD_SIZE, lines - 3))
    axis = axes[0, 0]
    for place, (task, metric, _) in enumerate(columns):
        here = cells[(cells["task"] == task) & (cells["metric"] == metric)].set_index("encoder").reindex(encoders)
        _column(axis, place, here, metric)
        axis.text(place, -0.75, heads[place], ha="center", va="bottom", fontsize=HEAD_SIZE)
    controls = cells.drop_duplicates("encoder").set_index("encoder")["control"]
    for row, name in enumerate(encoders):
        style = "italic" if controls[name] else "normal"
        axis.text(-0.6, row, names.texts[row], ha="right", va="center", fontsize=NAME_SIZE, style=style)
    axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(encoders) - 0.5, -0.5))
    axis.axis("off")
    return figure


def _sized(rows: int, columns: int, wider: float, higher: float) -> tuple["Figure", np.ndarray]:
    return new_figure(2.6 + COLUMN * columns + wider, 1.3 + ROW * rows + max(0.0, higher))


def _head(task: str, metric: str, transductive: bool) -> str:
    """What stands above a column."""
    parts = [task, metric, *(["(transductive)"] if transductive else [])]
    return "\n".join(text.fitted(part.replace("_", " "), COLUMN - 0.05, HEAD_SIZE, lines=3) for part in parts)


def _headlines(table: pd.DataFrame) -> pd.DataFrame:
    """The first metric of each task, or all errors, and the seconds of training."""
    first = table.groupby("task", sort=False)["metric"].transform("first")
    shown = table[(table["metric"] == first) | table["metric"].str.startswith("error")]
    trained = table.dropna(subset="seconds").drop_duplicates("encoder")
    about: dict[str, Any] = {
        "task": "training",
        "metric": "seconds",
        "sd": np.nan,
        "transductive": False,
        "best_control": False,
    }
    seconds = trained.assign(mean=trained["seconds"], **about)
    return pd.concat([shown, seconds], ignore_index=True)


def _column(axis: "Axes", place: int, here: pd.DataFrame, metric: str) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    less = metric.startswith(LESS_IS_BETTER)
    ranks = here["mean"].rank(ascending=not less, pct=True)
    best = here["mean"].min() if less else here["mean"].max()
    digits = next((count for start, count in DIGITS.items() if metric.startswith(start)), 4)
    for row, (mean, sd, rank, framed) in enumerate(
        zip(here["mean"], here["sd"], ranks, here["best_control"], strict=True)
    ):
        if np.isnan(mean):
            continue
        colour = colormaps["Blues"](0.05 + 0.55 * rank)
        axis.add_patch(Rectangle((place - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white"))
        text = f"{mean:.{digits}f}" + ("" if np.isnan(sd) else f" ± {sd:.{digits}f}")
        if framed:
            axis.add_patch(Rectangle((place - 0.46, row - 0.42), 0.92, 0.84, fill=False, edgecolor="black"))
        weight = "bold" if mean == best else "normal"
        axis.text(place, row, text, ha="center", va="center", fontsize=8, weight=weight)
