"""How a training went."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae_pipelines.plots.figure import new_figure, whole_numbers
from ae_pipelines.training.history import kept_epochs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEPT = "#c44e52"
MOST_INSIDE = 6
"""A legend of up to so many lines lies inside the axes."""


def learning_curves(history: list[dict[str, Any]]) -> "Figure":
    """Loss terms by epoch on train and validation batches, and the learning rate; a line where a phase begins, and one
    at the epoch of each whose weights were kept."""
    table = pd.DataFrame(history)
    epochs = np.arange(1, len(table) + 1)
    figure, axes = new_figure(10.0, 4.0, 1, 2)
    names = [name.removeprefix("train/") for name in table.columns if name.startswith("train/")]
    for number, name in enumerate(names):
        for kind, style in (("train", "-"), ("validation", "--")):
            if (column := f"{kind}/{name}") in table:
                label = f"{kind} · {name.replace('/', ' · ')}"
                axes[0, 0].plot(epochs, table[column], style, marker=_marker(epochs), color=f"C{number}", label=label)
    terms = table.filter(regex="^(train|validation)/")
    positive = bool((terms.isna() | (terms > 0)).to_numpy().all())
    axes[0, 0].set(xlabel="epoch", ylabel="loss", yscale="log" if positive else "linear", title="loss terms")
    axes[0, 1].plot(epochs, table["learning_rate"], marker=_marker(epochs), color="0.4")
    axes[0, 1].set(xlabel="epoch", ylabel="learning rate", title="learning rate")
    axes[0, 1].set_ylim(bottom=0)
    for axis in axes[0]:
        axis.xaxis.set_major_locator(whole_numbers())
        if len(epochs) == 1:
            axis.set_xlim(0, 2)
        _mark_kept(axis, history)
    _add_legend(axes[0, 0])
    for start in np.flatnonzero(table["phase"] != table["phase"].shift())[1:]:
        for axis in axes[0]:
            axis.axvline(start + 0.5, color="0.7", linewidth=0.8)
    return figure


def _mark_kept(axis: "Axes", history: list[dict[str, Any]]) -> None:
    kept = kept_epochs(history)
    for number, epoch in enumerate(kept):
        which = f"epoch {epoch}" if len(kept) == 1 else "these epochs"
        label = f"weights of {which} kept" if number == 0 else None
        axis.axvline(epoch, color=KEPT, linestyle=":", linewidth=1.4, label=label)


def _marker(epochs: np.ndarray) -> str | None:
    """A line through one point would not be seen."""
    return "o" if len(epochs) == 1 else None


def _add_legend(axis: "Axes") -> None:
    """Beside the axes where it would hide the curves."""
    many = len(axis.get_legend_handles_labels()[1]) > MOST_INSIDE
    beside: Any = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if many else {}
    axis.legend(fontsize=8, **beside)
