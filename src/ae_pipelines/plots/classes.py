"""What a classifier takes for what."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ae_pipelines.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_matrix(counts: pd.DataFrame, accuracy: float) -> "Figure":
    """Counts of true (rows) by predicted class (columns), shaded by share of the true class."""
    classes = [str(name) for name in counts.index]
    size = max(4.5, 0.5 * len(classes) + 1.5)
    figure, axes = new_figure(size, size)
    axis = axes[0, 0]
    values = counts.to_numpy()
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 30:
        for (row, column), count in np.ndenumerate(values):
            colour = "white" if shares[row, column] > 0.5 else "black" if count else "0.75"
            axis.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
        axis.set_xticks(range(len(classes)), classes)
        axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(f"Classifier on the latents, test split: accuracy {accuracy:.3f}", fontsize=10)
    return figure
