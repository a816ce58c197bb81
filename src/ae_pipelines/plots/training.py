"""How a training went."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae_pipelines.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curves(history: list[dict[str, Any]]) -> "Figure":
    """Loss terms by epoch on train and validation batches, and the learning rate; a line where a phase begins."""
    table = pd.DataFrame(history)
    epochs = np.arange(1, len(table) + 1)
    figure, axes = new_figure(10.0, 4.0, 1, 2)
    names = [name.removeprefix("train/") for name in table.columns if name.startswith("train/")]
    for number, name in enumerate(names):
        for kind, style in (("train", "-"), ("validation", "--")):
            if (column := f"{kind}/{name}") in table:
                label = f"{kind} · {name.replace('/', ' · ')}"
                axes[0, 0].plot(epochs, table[column], style, color=f"C{number}", label=label)
    terms = table.filter(regex="^(train|validation)/")
    positive = bool((terms.isna() | (terms > 0)).to_numpy().all())
    axes[0, 0].set(xlabel="epoch", yscale="log" if positive else "linear", title="loss terms")
    axes[0, 0].legend(fontsize=8)
    axes[0, 1].plot(epochs, table["learning_rate"], color="0.4")
    axes[0, 1].set(xlabel="epoch", title="learning rate")
    axes[0, 1].set_ylim(bottom=0)
    for start in np.flatnonzero(table["phase"] != table["phase"].shift())[1:]:
        for axis in axes[0]:
            axis.axvline(start + 0.5, color="0.7", linewidth=0.8)
    return figure
