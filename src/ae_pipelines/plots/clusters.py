"""What groups look like."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ae_pipelines.plots.figure import new_figure, show, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 40
"""At most so many of the largest groups."""


def report(sizes: pd.DataFrame, kind: str, numbers: list[int], values: list[float], criterion: str) -> "Figure":
    """A bar for each group (`sizes` as in the table of that name) and, where their number was chosen, the criterion's
    values by number of groups."""
    figure, axes = new_figure(13.0 if numbers else 8.5, 4.6, 1, 2 if numbers else 1)
    _bars(axes[0, 0], sizes, kind)
    if numbers:
        _curve(axes[0, 1], numbers, values, criterion)
    return figure


def examples(samples: dict[int, np.ndarray], sizes: pd.DataFrame) -> "Figure":
    """For each group a row of the samples nearest to its centre: images (count, channels, height, width) side by side,
    vectors (count, features) as heat maps."""
    most = max(map(len, samples.values()), default=1)
    images = next(iter(samples.values()), np.empty((0, 1))).ndim == 4
    height, width = (0.75, 0.75 * most) if images else (0.6, 7.0)
    figure, axes = new_figure(width + 1.4, height * max(1, len(samples)) + 0.7, max(1, len(samples)), 1)
    spread = _spread(samples)
    for axis, (group, rows) in zip(axes[:, 0], samples.items(), strict=False):
        (_strip if images else _heat_map)(axis, rows, most, spread)
        axis.set_ylabel(_described(sizes, group), rotation=0, ha="right", va="center", fontsize=9)
    if not samples:
        axes[0, 0].set_axis_off()
    left = int((sizes["cluster"] >= 0).sum()) - len(samples)
    more = f"; {left} smaller groups are not shown" if left > 0 else ""
    title = f"Samples nearest to the centre of each group{more}" if samples else "There are no groups, only noise"
    figure.suptitle(title, fontsize=10)
    return figure


def _bars(axis: "Axes", sizes: pd.DataFrame, kind: str) -> None:
    shown = sizes.nlargest(MOST_BARS, "size").sort_values("cluster")
    names = ["noise" if group < 0 else str(group) for group in shown["cluster"]]
    bars = axis.bar(names, shown["size"], color=_colours(shown))
    if shown["purity"].notna().any() and len(shown) <= 20:
        named = (shown["cluster"] >= 0) & shown["label"].notna()
        axis.bar_label(bars, list(shown["label"].where(named, "")), fontsize=9)
    groups = int((sizes["cluster"] >= 0).sum())
    more = f", the {MOST_BARS} largest" if len(shown) < len(sizes) else ""
    axis.set_title(f"{groups} groups ({kind}) of {sizes['size'].sum():,} samples{more}", fontsize=10)
    axis.set_xlabel("group")
    axis.set_ylabel("samples")
    axis.tick_params(axis="x", labelsize=9 if len(shown) <= 20 else 7)
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


def _heat_map(axis: "Axes", rows: np.ndarray, most: int, spread: tuple[float, float]) -> None:
    values = rows.reshape(len(rows), -1)
    reach = max(map(abs, spread))
    axis.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])


def _described(sizes: pd.DataFrame, group: int) -> str:
    """The group, its size and its labels."""
    (row,) = sizes[sizes["cluster"] == group].itertuples()
    label = f"\n{row.label} ({row.purity:.0%})" if isinstance(row.label, str) else ""
    return f"{group}: {row.size:,}{label}"
