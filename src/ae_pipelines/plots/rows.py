"""Samples in rows, one below the other."""

from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots.figure import new_figure, show, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def examples(rows: dict[str, np.ndarray], title: str) -> "Figure":
    """Rows of samples by name, one below the other: images (n, channels, height, width) side by side, vectors
    (n, features) as heat maps."""
    images = next(iter(rows.values())).ndim == 4
    figure = (_rows_of_images if images else _heat_maps)(rows)
    figure.suptitle(title, fontsize=10)
    return figure


def _rows_of_images(rows: dict[str, np.ndarray]) -> "Figure":
    count = len(next(iter(rows.values())))
    figure, axes = new_figure(0.9 * count + 0.9, 0.95 * len(rows) + 0.5, len(rows), count)
    clean = rows.get("sample", next(iter(rows.values())))
    unit = clean.min() >= 0 and clean.max() <= 1
    low, high = (0.0, 1.0) if unit else np.quantile(clean, (0.01, 0.99))
    for row, (name, pictures) in enumerate(rows.items()):
        for axis, picture in zip(axes[row], pictures, strict=True):
            show(axis, (picture - low) / (high - low))
        axes[row, 0].set_ylabel(name)
    return figure


def _heat_maps(rows: dict[str, np.ndarray]) -> "Figure":
    figure, axes = new_figure(9.0, 2.0 * len(rows) + 0.5, len(rows), 1)
    clean = rows.get("sample", next(iter(rows.values())))
    most = float(np.quantile(np.abs(clean), 0.99)) or 1.0
    for axis, (name, values) in zip(axes[:, 0], rows.items(), strict=True):
        values = values.reshape(len(values), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_ylabel(f"{name}: samples")
        axis.set_yticks([])
        axis.set_xticks([])
    axes[-1, 0].xaxis.set_major_locator(whole_numbers())
    axes[-1, 0].set_xlabel("feature")
    figure.colorbar(shown, ax=list(axes[:, 0]), label="value as the model sees it")
    return figure
