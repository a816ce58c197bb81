"""What groups look like."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ae_pipelines.plots import text
from ae_pipelines.plots.figure import (
    entitle,
    features_inches,
    name_features,
    new_figure,
    show,
    title_of,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 40
"""At most so many of the largest groups."""
BARS = 7.2
"""Inches, about, that all bars have."""
HEIGHT = 4.6
"""Inches of the report without names."""
LABEL_SIZE = 9
"""Font size of labels beside and above what they belong to."""


def report(sizes: pd.DataFrame, kind: str, numbers: list[int], values: list[float], criterion: str) -> "Figure":
    """A bar for each group (`sizes` as in the table of that name) and, where their number was chosen, the criterion's
    values by number of groups."""
    shown = sizes.nlargest(MOST_BARS, "size").sort_values("cluster")
    slot = (0.7 if numbers else 1) * BARS / max(1, len(shown))
    labels = text.under(_labels(shown), slot, LABEL_SIZE, most=1.6)
    figure, axes = new_figure(13.0 if numbers else 8.5, HEIGHT + labels.inches, 1, 2 if numbers else 1)
    _bars(axes[0, 0], sizes, shown, kind, slot, labels)
    if numbers:
        _curve(axes[0, 1], numbers, values, criterion)
    return figure


def examples(samples: dict[int, np.ndarray], sizes: pd.DataFrame, features: Sequence[str] = ()) -> "Figure":
    """For each group a row of the samples nearest to its centre: images (count, channels, height, width) side by side,
    vectors (count, features) as heat maps, with the names of their features if they have some."""
    most = max(map(len, samples.values()), default=1)
    images = next(iter(samples.values()), np.empty((0, 1))).ndim == 4
    height, width = (0.75, 0.75 * most) if images else (0.6, 7.0)
    numbers, labels = zip(*(_described(sizes, group) for group in samples), strict=True) if samples else ((), ())
    named = text.beside(labels, height - text.height(LABEL_SIZE), LABEL_SIZE)
    names = 0.0 if images else features_inches(features, width)
    full = max(4.0, width + 0.4 + max(1.0, named.inches))
    figure, axes = new_figure(full, height * max(1, len(samples)) + 0.7 + names, max(1, len(samples)), 1)
    spread = _spread(samples)
    for axis, number, label, rows in zip(axes[:, 0], numbers, named.texts, samples.values(), strict=False):
        (_strip if images else _heat_map)(axis, rows, most, spread)
        axis.set_ylabel(f"{number}\n{label}".strip(), rotation=0, ha="right", va="center", fontsize=LABEL_SIZE)
    if samples and not images and features:
        name_features(axes[-1, 0], features, width)
    if not samples:
        axes[0, 0].set_axis_off()
    left = int((sizes["cluster"] >= 0).sum()) - len(samples)
    more = f"; {left} smaller groups are not shown" if left > 0 else ""
    title = f"Samples nearest to the centre of each group{more}" if samples else "There are no groups, only noise"
    entitle(figure, title)
    return figure


def _labels(shown: pd.DataFrame) -> list[str]:
    """What is written on the bars: the commonest label of each group, where these are few."""
    if not shown["purity"].notna().any() or len(shown) > 20:
        return [""] * len(shown)
    return shown["label"].where((shown["cluster"] >= 0) & shown["label"].notna(), "").tolist()


def _bars(axis: "Axes", sizes: pd.DataFrame, shown: pd.DataFrame, kind: str, slot: float, labels: text.Names) -> None:
    names = ["noise" if group < 0 else str(group) for group in shown["cluster"]]
    bars = axis.bar(range(len(shown)), shown["size"], color=_colours(shown))
    if any(labels.texts):
        axis.bar_label(bars, labels.texts, fontsize=LABEL_SIZE, rotation=labels.rotation, padding=2)
        axis.set_ylim(top=shown["size"].max() * (1.05 + 1.1 * labels.inches / (HEIGHT - 1)))
    size = 9 if len(shown) <= 20 else 7
    ticks = text.under(names, slot, size)
    axis.set_xticks(range(len(shown)), ticks.texts, rotation=ticks.rotation, fontsize=size)
    groups = int((sizes["cluster"] >= 0).sum())
    more = f", the {MOST_BARS} largest" if len(shown) < len(sizes) else ""
    title_of(axis, f"{groups} groups ({kind}) of {sizes['size'].sum():,} samples{more}", 6.0)
    axis.set_xlabel("group")
    axis.set_ylabel("samples")
    axis.spines[["top", "right"]].set_visible(False)
    if shown["purity"].notna().any():
        _colour_bar(axis)


def _colours(shown: pd.DataFrame) -> list:
    """Colours by purity; grey for noise and where no label is known."""
    from matplotlib import colormaps

    known = (shown["cluster"] >= 0) & shown["purity"].notna()
    plain = np.where(shown["cluster"] < 0, "0.75", "#4c72b0" if not known.any() else "0.55")
    pairs = zip(shown["purity"], known, plain, strict=True)
    return [colormaps["viridis"](purity) if labelled else colour for purity, labelled, colour in pairs]


def _colour_bar(axis: "Axes") -> None:
    from matplotlib.cm import ScalarMappable

    bar = axis.figure.colorbar(ScalarMappable(cmap="viridis"), ax=axis)
    bar.set_label("purity: share of the commonest label (on the bar)")


def _curve(axis: "Axes", numbers: list[int], values: list[float], criterion: str) -> None:
    best = int((np.nanargmin if criterion == "bic" else np.nanargmax)(values))
    axis.plot(numbers, values, "o-", color="#4c72b0", markersize=4)
    axis.plot(numbers[best], values[best], "o", color="#c44e52", markersize=10, fillstyle="none", markeredgewidth=2)
    direction = "lower" if criterion == "bic" else "higher"
    axis.set_title(f"{numbers[best]} groups chosen by {criterion} ({direction} is better)", fontsize=10)
    axis.set(xlabel="groups", ylabel=criterion)
    axis.xaxis.set_major_locator(whole_numbers())
    axis.spines[["top", "right"]].set_visible(False)


def _spread(samples: dict[int, np.ndarray]) -> tuple[float, float]:
    """The range of values that colours span."""
    values = np.concatenate([rows.ravel() for rows in samples.values()] or [np.zeros(1)])
    if values.min() >= 0 and values.max() <= 1:
        return 0.0, 1.0
    low, high = np.quantile(values, (0.01, 0.99))
    return float(low), float(max(high, low + 1e-6))


def _strip(axis: "Axes", images: np.ndarray, most: int, spread: tuple[float, float]) -> None:
    """Images side by side, white where there are fewer than `most`."""
    low, high = spread
    _, channels, height, width = images.shape
    gap = max(1, width // 14)
    strip = np.ones((channels, height, most * (width + gap) - gap), np.float32)
    for place, image in enumerate(images):
        strip[:, :, place * (width + gap) : place * (width + gap) + width] = (image - low) / (high - low)
    show(axis, strip)
    axis.spines[:].set_visible(False)
    axis.set_anchor("W")  # the name stays where the layout has made room for it


def _heat_map(axis: "Axes", rows: np.ndarray, most: int, spread: tuple[float, float]) -> None:
    values = rows.reshape(len(rows), -1)
    reach = max(map(abs, spread))
    axis.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])


def _described(sizes: pd.DataFrame, group: int) -> tuple[str, str]:
    """The group with its size, and its label."""
    (row,) = sizes[sizes["cluster"] == group].itertuples()
    label = f"{row.label} ({row.purity:.0%})" if isinstance(row.label, str) else ""
    return f"{group}: {row.size:,}", label
