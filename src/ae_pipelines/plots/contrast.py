"""Supervised learning beside classifiers on latents."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae_pipelines.downstream.plane import placed
from ae_pipelines.plots.colours import colours
from ae_pipelines.plots.figure import new_figure, spaced
from ae_pipelines.plots.latent_map import Map, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = (
    # key, what it is, colour
    ("latents", "latents of the autoencoder", "#4c72b0"),
    ("pca", "PCA", "0.5"),
    ("supervised", "supervised, from scratch", "#c44e52"),
)


def contrast_curve(contrast: dict[str, Any], wins_from: int | None) -> "Figure":
    """Test error (%) against the number of labels, each with a band of a standard deviation over draws; a line where
    supervised learning becomes the better one for good."""
    figure, axes = new_figure(7.6, 4.9)
    axis = axes[0, 0]
    for key, what, colour in CURVES:
        kind = "" if key == "supervised" else f" + {contrast['kind'].replace('_', ' ')}"
        _curve(axis, contrast[key], what + kind + _said_if_transductive(contrast[key]), colour)
    counts = [point["labels"] for point in contrast["latents"]]
    axis.set(xscale="log", yscale="log", xlabel="labels", ylabel="error on the test split, %")
    _mark(axis, counts, wins_from)
    axis.set_xticks(counts, spaced(np.log(counts), [f"{count:,}" for count in counts], 6.0, 10))
    axis.set_xticks([], minor=True)
    lowest, highest = axis.get_ylim()
    axis.set_ylim(bottom=0.6 * lowest)  # room for the text
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if lowest <= tick <= highest]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_yticks([], minor=True)
    axis.grid(axis="y", color="0.92")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    axis.set_title("Does the autoencoder pay? Error by number of labels", fontsize=11)
    return figure


def contrast_maps(spaces: pd.DataFrame, seed: int = 0) -> "Figure":
    """A panel for each space, a column of vectors beside `sample_id` and `label`: the same samples in the plane by
    t-SNE, coloured by label."""
    names = [str(name) for name in spaces if name not in ("sample_id", "label")]
    labels, maps = spaces["label"].fillna("").to_numpy(dtype=str), []
    for name in names:
        vectors = np.array(spaces[name].tolist(), np.float32)
        one = Map(placed(vectors, "tsne", seed), labels, colours(labels), "without a label")
        maps.append((_title(name, vectors.shape[1]), one))
    return side_by_side(maps, 5.4, 5.6, f"The same {len(spaces):,} test samples by t-SNE, coloured by label")


def _curve(axis: "Axes", points: list[dict[str, Any]], label: str, colour: str) -> None:
    table = pd.DataFrame(points)
    labels, mean, deviation = table["labels"], table["error_mean"], table["error_sd"]
    axis.plot(labels, mean, "o-", markersize=4, color=colour, label=label)
    # on a logarithmic axis a band must not reach zero
    axis.fill_between(labels, (mean - deviation).clip(lower=mean / 2), mean + deviation, color=colour, alpha=0.15, lw=0)


def _mark(axis: "Axes", counts: list[int], wins_from: int | None) -> None:
    if wins_from is None:
        axis.text(
            0.99,
            0.02,
            "with all labels supervised learning is not the better one",
            ha="right",
            transform=axis.transAxes,
        )
        return
    axis.axvline(wins_from, color="#c44e52", lw=1, ls=":")
    side = "left" if wins_from <= counts[len(counts) // 2] else "right"
    text = f" the autoencoder stops paying \n at {wins_from:,} labels (of those measured) "
    axis.text(
        wins_from, 0.02, text, ha=side, va="bottom", fontsize=9, color="#c44e52", transform=axis.get_xaxis_transform()
    )


def _said_if_transductive(points: list[dict[str, Any]]) -> str:
    return " (transductive)" if any(point.get("transductive") for point in points) else ""


def _title(space: str, size: int) -> str:
    if space == "latents":
        return f"autoencoder, no labels (d = {size})"
    return f"supervised, {int(space.removeprefix('supervised_')):,} labels (d = {size})"
