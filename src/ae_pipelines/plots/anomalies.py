"""The oddest samples, and how scores are distributed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots.figure import entitle, features_inches, name_features, new_figure, show, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = (15, 60)
"""The fewest and the most; the smallest group decides."""
SHORT_SPAN = 100
"""Up to this ratio of its ends, a logarithmic axis has more labels than the powers of ten."""
COLOURS = {"normal, held out": "#4c72b0", "normal, test": "#55a868", "anomalous, test": "#c44e52"}
Groups = dict[str, np.ndarray]
"""Values by the name of their group."""


def oddest(
    rows: dict[str, np.ndarray],
    scores: np.ndarray,
    groups: Groups,
    threshold: float,
    rests_on: int,
    title: str,
    features: Sequence[str] = (),
) -> "Figure":
    """The oddest samples, what the model makes of them and what it gets wrong (by name, (n, *shape)), under their
    `scores`; below, how the scores of each group are distributed, and the threshold with the number of rows that it
    `rests_on`. Vectors have the names of their features if these have some."""
    images = next(iter(rows.values())).ndim == 4
    width = max(8.0, 0.85 * len(scores) + 0.9)
    each = (width - 1.8) / len(rows)
    upper = 0.95 * len(rows) + 0.4 + (0.0 if images else features_inches(features, each))
    figure, _ = new_figure(width, upper + 3.2)
    figure.clear()
    above: Any
    below: Any
    above, below = figure.subfigures(2, 1, height_ratios=[upper, 3.0])  # type: ignore[misc]
    captions = [f"{score:.3g}" for score in scores]
    if images:
        _images(above, rows, captions)
    else:
        _features(above, rows, captions, features, each)
    axis = below.subplots()
    histogram(axis, groups)
    said = f"threshold {threshold:.3g} (set on {rests_on:,} row{'s' if rests_on != 1 else ''})"
    axis.axvline(threshold, color="0.2", linestyle="--", linewidth=1.2, label=said)
    axis.set_xlabel("score (higher is odder)")
    axis.legend(fontsize=8)
    entitle(figure, title)
    return figure


def histogram(axis: "Axes", groups: Groups) -> None:
    """A histogram of each group, as shares, on a logarithmic axis where all values are above zero."""
    every = np.concatenate(list(groups.values()))
    positive = bool(every.min() > 0)
    low, high = float(every.min()), float(every.max())
    high = high if high > low else low + 1.0
    bins = int(np.clip(2 * np.sqrt(min(map(len, groups.values()))), *BINS))
    edges = (np.geomspace if positive else np.linspace)(low, high, bins).tolist()
    for number, (name, values) in enumerate(groups.items()):
        colour, weights = COLOURS.get(name, f"C{number}"), np.full(len(values), 1 / max(1, len(values)))
        label = f"{name} ({len(values):,})"
        axis.hist(values, edges, weights=weights, histtype="stepfilled", alpha=0.25, color=colour)
        axis.hist(values, edges, weights=weights, histtype="step", color=colour, label=label, linewidth=1.4)
    if positive:
        _logarithmic(axis, high / low)
    axis.set_ylabel("share of the group")
    axis.spines[["top", "right"]].set_visible(False)


def _logarithmic(axis: "Axes", span: float) -> None:
    """A logarithmic axis of numbers whose labels do not run into each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < SHORT_SPAN else (1,), numticks=8))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())


def _images(figure: Any, rows: dict[str, np.ndarray], captions: list[str]) -> None:
    axes = figure.subplots(len(rows), len(captions), squeeze=False)
    clean = next(iter(rows.values()))
    unit = clean.min() >= 0 and clean.max() <= 1
    low, high = (0.0, 1.0) if unit else np.quantile(clean, (0.01, 0.99))
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        start = 0.0 if name == "residual" else low  # no difference is black
        for axis, picture in zip(line, pictures, strict=True):
            show(axis, (picture - start) / (high - low))
        line[0].set_ylabel(name)
    for axis, caption in zip(axes[0], captions, strict=True):
        axis.set_title(caption, fontsize=8)


def _features(
    figure: Any, rows: dict[str, np.ndarray], captions: list[str], features: Sequence[str], width: float
) -> None:
    """Samples without height and width, one line each."""
    axes = figure.subplots(1, len(rows), squeeze=False)[0]
    most = float(np.quantile(np.abs(next(iter(rows.values()))), 0.99)) or 1.0
    for axis, (name, values) in zip(axes, rows.items(), strict=True):
        values = values.reshape(len(values), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_title(name, fontsize=9)
        name_features(axis, features, width)
        axis.set_yticks([])
    axes[0].set_yticks(range(len(captions)), captions, fontsize=7)
    axes[0].set_ylabel("score")
    figure.colorbar(shown, ax=list(axes), label="value")


def two_ranges(groups: Groups, low: float, high: float, rests_on: int, title: str) -> "Figure":
    """Histograms of the reconstruction errors of each group, and the training range between `low` and `high` with the
    number of rows that it `rests_on`."""
    figure, axes = new_figure(8.5, 3.8)
    axis = axes[0, 0]
    histogram(axis, groups)
    said = f"training range (0.1 % to 99.9 % of {rests_on:,} rows)"
    axis.axvspan(low, high, color="0.85", zorder=0, label=said)
    axis.set_xlabel("reconstruction error")
    axis.legend(fontsize=8)
    title_of(axis, title, 7.6)
    return figure
