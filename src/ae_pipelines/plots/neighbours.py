"""Queries and the samples most like them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots import text
from ae_pipelines.plots.figure import entitle, features_inches, name_features, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ae_pipelines.downstream.search import Line

ACCENT = "#c44e52"
MOST_LINES, MOST_NEIGHBOURS = 20, 24
"""At most so many queries and, of each, neighbours; all are in the table."""
IMAGE = 0.95
"""Inches of an image."""
LINE = 0.17
"""Inches of a line of a heat map."""
HEAT_MAP = 6.0
"""Inches, about, that a heat map is wide."""


def neighbours(lines: "list[Line]", queries: int, features: Sequence[str] = ()) -> "Figure":
    """The first of so many queries, each at the left of a line, framed, and to its right its neighbours, nearest first,
    with their labels (red where they differ from the query's) and distances. Vectors have the names of their features
    if these have some.
    """
    shown = [_first(line) for line in lines[:MOST_LINES]]
    figure = _images(shown) if lines[0].pictures.ndim == 4 else _features(shown, features)
    more = f"; the first {len(shown)} of {queries:,}" if queries > len(shown) else ""
    entitle(figure, f"Looked for (framed), and the samples with the nearest latents: label and distance{more}")
    return figure


def _first(line: "Line") -> "Line":
    """The query and the nearest of its neighbours."""
    most = MOST_NEIGHBOURS
    return replace(
        line, pictures=line.pictures[: 1 + most], labels=line.labels[: 1 + most], distances=line.distances[:most]
    )


def _images(lines: "list[Line]") -> "Figure":
    columns = max(len(line.pictures) for line in lines)
    captions = [[text.fitted(label, IMAGE - 0.05, 8, lines=3) for label in _labels(line)] for line in lines]
    more = text.height(8, max(caption.count("\n") for row in captions for caption in row))
    width, height = max(6.5, IMAGE * columns + 0.3), (1.15 + more) * len(lines) + 0.5
    figure, axes = new_figure(width, height, len(lines), columns)
    every = np.concatenate([line.pictures for line in lines])
    low, high = (0.0, 1.0) if every.min() >= 0 and every.max() <= 1 else np.quantile(every, (0.01, 0.99))
    for row, line, labels in zip(axes, lines, captions, strict=True):
        said = zip(row, line.pictures, labels, ["", *_distances(line)], line.labels, strict=False)
        for axis, picture, caption, distance, label in said:
            show(axis, (picture - low) / (high - low))
            other = label and line.labels[0] and label != line.labels[0]
            axis.set_xlabel(
                f"{caption}\n{distance}".strip(), fontsize=8, labelpad=2, color=ACCENT if other else "black"
            )
        row[0].spines[:].set(color=ACCENT, linewidth=2.5)
        for axis in row[len(line.pictures) :]:
            axis.axis("off")
    return figure


def _features(lines: "list[Line]", features: Sequence[str]) -> "Figure":
    """Samples without height and width: a heat map for each query, which is its first line."""
    captions = [text.beside(_labels(line), LINE, 6, most=2.0) for line in lines]
    height = 0.6 + sum(0.4 + LINE * len(line.pictures) for line in lines) + features_inches(features, HEAT_MAP)
    width = 8.7 + max(one.inches for one in captions)
    figure, axes = new_figure(width, max(2.6, height), len(lines), 1)
    most = float(np.quantile(np.abs(np.concatenate([line.pictures for line in lines])), 0.99)) or 1.0
    for axis, line, labels in zip(axes[:, 0], lines, captions, strict=True):
        values = line.pictures.reshape(len(line.pictures), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        said = [f"{a}  {b}".strip() for a, b in zip(labels.texts, ["", *_distances(line)], strict=True)]
        axis.set_yticks(range(len(values)), said, fontsize=6)
        axis.axhline(0.5, color=ACCENT, linewidth=2)
        axis.set_xticks([])
    name_features(axes[-1, 0], features, HEAT_MAP)
    figure.colorbar(shown, ax=list(axes[:, 0]), label="value as the model sees it")
    return figure


def _labels(line: "Line") -> list[str]:
    return [line.labels[0] or "looked for", *line.labels[1:]]


def _distances(line: "Line") -> list[str]:
    return [f"{distance:.2f}" for distance in line.distances]
