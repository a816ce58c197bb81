"""Queries and the samples most like them."""

from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots.figure import new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ae_pipelines.downstream.search import Line

ACCENT = "#c44e52"


def neighbours(lines: "list[Line]") -> "Figure":
    """Each query at the left of a line, framed, and to its right its neighbours, nearest first, with their labels (red
    where they differ from the query's) and distances."""
    figure = (_images if lines[0].pictures.ndim == 4 else _features)(lines)
    figure.suptitle("Looked for (framed), and the samples with the nearest latents: label and distance", fontsize=10)
    return figure


def _images(lines: "list[Line]") -> "Figure":
    columns = max(len(line.pictures) for line in lines)
    figure, axes = new_figure(max(6.5, 0.95 * columns + 0.3), 1.15 * len(lines) + 0.5, len(lines), columns)
    every = np.concatenate([line.pictures for line in lines])
    low, high = (0.0, 1.0) if every.min() >= 0 and every.max() <= 1 else np.quantile(every, (0.01, 0.99))
    for row, line in zip(axes, lines, strict=True):
        for axis, picture, text, label in zip(row, line.pictures, _texts(line), line.labels, strict=False):
            show(axis, (picture - low) / (high - low))
            other = label and line.labels[0] and label != line.labels[0]
            axis.set_xlabel(text, fontsize=8, labelpad=2, color=ACCENT if other else "black")
        row[0].spines[:].set(color=ACCENT, linewidth=2.5)
        for axis in row[len(line.pictures) :]:
            axis.axis("off")
    return figure


def _features(lines: "list[Line]") -> "Figure":
    """Samples without height and width: a heat map for each query, which is its first line."""
    figure, axes = new_figure(9.0, 0.6 + sum(0.4 + 0.17 * len(line.pictures) for line in lines), len(lines), 1)
    most = float(np.quantile(np.abs(np.concatenate([line.pictures for line in lines])), 0.99)) or 1.0
    for axis, line in zip(axes[:, 0], lines, strict=True):
        values = line.pictures.reshape(len(line.pictures), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_yticks(range(len(values)), [text.replace("\n", "  ") for text in _texts(line)], fontsize=6)
        axis.axhline(0.5, color=ACCENT, linewidth=2)
        axis.set_xticks([])
    axes[-1, 0].set_xlabel("feature")
    figure.colorbar(shown, ax=list(axes[:, 0]), label="value as the model sees it")
    return figure


def _texts(line: "Line") -> list[str]:
    """The captions of a query and its neighbours."""
    near = zip(line.labels[1:], line.distances, strict=True)
    return [line.labels[0] or "looked for", *(f"{label}\n{distance:.2f}".strip() for label, distance in near)]
