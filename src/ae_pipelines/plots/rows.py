"""Samples in rows, one below the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots.figure import entitle, features_inches, name_features, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure


HEAT_MAP = 6.4
"""Inches, about, that a heat map is wide."""


def examples(rows: dict[str, np.ndarray], title: str, features: Sequence[str] = ()) -> "Figure":
    """Rows of samples by name, one below the other: images (n, channels, height, width) side by side, vectors
    (n, features) as heat maps, with the names of their features if they have some."""
    images = next(iter(rows.values())).ndim == 4
    figure = _rows_of_images(rows) if images else _heat_maps(rows, features)
    entitle(figure, title)
    return figure


def _rows_of_images(rows: dict[str, np.ndarray]) -> "Figure":
    count = len(next(iter(rows.values())))
    figure, axes = new_figure(max(4.0, 0.9 * count + 0.9), 0.95 * len(rows) + 0.5, len(rows), count)
    clean = rows.get("sample", next(iter(rows.values())))
    unit = clean.min() >= 0 and clean.max() <= 1
    low, high = (0.0, 1.0) if unit else np.quantile(clean, (0.01, 0.99))
    for row, (name, pictures) in enumerate(rows.items()):
        for axis, picture in zip(axes[row], pictures, strict=True):
            show(axis, (picture - low) / (high - low))
        axes[row, 0].set_ylabel(name)
    return figure


def _heat_maps(rows: dict[str, np.ndarray], features: Sequence[str]) -> "Figure":
    names = features_inches(features, HEAT_MAP)
    figure, axes = new_figure(9.0, 2.0 * len(rows) + 0.5 + names, len(rows), 1)
    clean = rows.get("sample", next(iter(rows.values())))
    most = float(np.quantile(np.abs(clean), 0.99)) or 1.0
    for axis, (name, values) in zip(axes[:, 0], rows.items(), strict=True):
        values = values.reshape(len(values), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_ylabel(f"{name}: samples")
        axis.set_yticks([])
        axis.set_xticks([])
    name_features(axes[-1, 0], features, HEAT_MAP)
    figure.colorbar(shown, ax=list(axes[:, 0]), label="value as the model sees it")
    return figure
