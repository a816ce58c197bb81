"""Which classes a classifier confuses, how sure it is, and how many labels it needs."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.calibration import BINS, expected_calibration_error
from ae_pipelines.plots import text
from ae_pipelines.plots.figure import new_figure, spaced, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, CONTROL = "#1f77b4", "0.55"
MOST_CLASSES = 30
"""With more, only so many of the most confused ones are shown."""
CELL = 0.5
"""Inches of a cell of the confusion matrix."""
TICK_SIZE = 10
AXIS = 4.9
"""Inches, about, between the first and the last of the numbers of labels."""
LEAST_ROWS = 10
"""Bins of confidence with fewer rows are merged."""


def confusion_matrix(counts: pd.DataFrame, accuracy: float) -> "Figure":
    """Counts of true (rows) by predicted class (columns), shaded by share of the true class; of many classes those
    with the most mistakes."""
    values = counts.to_numpy()
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    shown = most_confused(values)
    classes = [str(name) for name in counts.index[shown]]
    across, down = text.under(classes, CELL, TICK_SIZE), text.beside(classes, CELL, TICK_SIZE)
    size = max(4.5, CELL * len(classes) + 1.5)
    figure, axes = new_figure(size + down.inches, size + across.inches)
    axis = axes[0, 0]
    values, shares = values[np.ix_(shown, shown)], shares[np.ix_(shown, shown)]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(values):
        colour = "white" if shares[row, column] > 0.5 else "black" if count else "0.75"
        said = str(count) if count < 100_000 else f"{count / 1000:,.0f}k"
        axis.text(column, row, said, ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(classes)), across.texts, rotation=across.rotation)
    axis.set_yticks(range(len(classes)), down.texts)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    some = "" if len(shown) == len(counts) else f"; the {len(shown)} most confused of {len(counts):,} classes"
    total = int(counts.to_numpy().sum())
    said = f"Classifier on the latents, test split: accuracy {accuracy:.3f} ({total:,} rows){some}"
    title_of(axis, said, size - 0.6)
    return figure


def most_confused(counts: np.ndarray) -> np.ndarray:
    """Places of the classes to show, in order: all, or those that are taken for others, or others for them, most."""
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])


def reliability(ours: pd.DataFrame, control: pd.DataFrame) -> "Figure":
    """Accuracy against confidence on the test split with its 95 % interval, and the number of rows by confidence;
    tables of `calibration.reliability`. The larger a dot, the more rows; bins of few rows are merged."""
    figure, axes = new_figure(5.2, 6.2, 2, 1)
    axes[0, 0].get_gridspec().set_height_ratios([3, 1])
    upper, lower = axes[:, 0]
    upper.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    upper.text(0.03, 0.06, "as often right as sure", rotation=44, rotation_mode="anchor", color="0.5", fontsize=8)
    for table, name, colour in ((control, "PCA", CONTROL), (ours, "autoencoder", OURS)):
        label = f"{name}: calibration error {expected_calibration_error(table):.3f}"
        bins = merged(table)
        upper.plot(bins["confidence"], bins["accuracy"], color=colour, linewidth=1, alpha=0.6)
        beside = np.abs(_intervals(bins) - bins["accuracy"].to_numpy()[:, None]).T
        upper.errorbar(bins["confidence"], bins["accuracy"], beside, fmt="none", ecolor=colour, elinewidth=1, alpha=0.6)
        area = 6 + 120 * np.sqrt(bins["rows"] / bins["rows"].sum())  # a bin with few samples says little
        upper.scatter(bins["confidence"], bins["accuracy"], area, color=colour, label=label, linewidths=0, zorder=3)
        lower.step(*_stairs(table), where="post", color=colour)
    upper.set(ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    figure.legend(fontsize=9, loc="outside lower center", ncols=2, frameon=False, markerscale=0.6)
    lower.set(
        xlabel="confidence: the probability of the predicted class", ylabel="samples", yscale="log", xlim=(0, 1.02)
    )
    upper.set_title("How sure, how often right (test split; bars: 95 % interval)", fontsize=11)
    return figure


def merged(table: pd.DataFrame, least: int = LEAST_ROWS) -> pd.DataFrame:
    """Bins of at least so many rows, each of neighbours in a table of `calibration.reliability`; one where there are
    fewer rows in all."""
    number, filled = [0], 0
    for rows in table["rows"]:
        filled += rows
        number.append(number[-1] + (filled >= least))
        filled = 0 if filled >= least else filled
    last = max(0, number[-1] - 1)  # what is left over belongs to the last full bin
    bins = np.minimum(number[:-1], last)
    weighted = table.assign(**{name: table[name] * table["rows"] for name in ("confidence", "accuracy")})
    sums = weighted.groupby(bins)[["rows", "confidence", "accuracy"]].sum()
    means = {name: sums[name] / sums["rows"] for name in ("confidence", "accuracy")}
    return sums.assign(**means).reset_index(drop=True)


def _intervals(bins: pd.DataFrame) -> np.ndarray:
    """The 95 % interval of each accuracy, (bins, 2)."""
    return np.array([intervals.proportion(*bin) for bin in zip(bins["accuracy"], bins["rows"], strict=True)])


def _stairs(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Edges of all bins and the rows in each, the last repeated."""
    rows = np.zeros(BINS)
    rows[np.rint(table["from"].to_numpy() * BINS).astype(int)] = table["rows"]
    return np.arange(BINS + 1) / BINS, np.append(rows, rows[-1])


def few_label_curve(curves: dict[str, Any]) -> "Figure":
    """Error on the test split by number of labels, for the latents and for PCA's: mean and standard deviation."""
    figure, axes = new_figure(6.4, 4.6)
    axis = axes[0, 0]
    _band(axis, curves["pca"], curves["latents"], "PCA latents", CONTROL)
    _band(axis, curves["latents"], curves["pca"], "autoencoder latents", OURS)
    counts = [point["labels"] for point in curves["latents"]]
    axis.set_xscale("log")
    before = spaced(np.log(counts), [*(f"{count:,}" for count in counts[:-1]), ""], AXIS, TICK_SIZE)
    axis.set_xticks(counts, [*before[:-1], f"\n{counts[-1]:,} (all)"])
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
    axis.set(xlabel="labels", ylabel="error on the test split (%)")
    axis.legend(frameon=False)
    axis.grid(axis="y", color="0.92")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(_few_labels_title(curves), fontsize=10)
    return figure


def _band(axis: "Axes", points: list[dict[str, Any]], others: list[dict[str, Any]], name: str, colour: str) -> None:
    """A curve, its numbers on the side away from the other curve."""
    table = pd.DataFrame(points)
    labels, mean, spread = (table[column] for column in ("labels", "error_mean", "error_sd"))
    axis.fill_between(labels, np.maximum(mean - spread, 0), mean + spread, color=colour, alpha=0.2, linewidth=0)
    axis.plot(labels, mean, "o-", color=colour, markersize=4, label=name)
    said = spaced(np.log(labels.to_numpy(float)), [f"{y:.1f}" for y in mean], AXIS, 8)
    for x, y, other, number in zip(labels, mean, (point["error_mean"] for point in others), said, strict=True):
        up = 6 if y > other else -13
        axis.annotate(number, (x, y), (0, up), textcoords="offset points", ha="center", fontsize=8, color=colour)


def _few_labels_title(curves: dict[str, Any]) -> str:
    draws = max(point["draws"] for point in curves["latents"])
    title = f"Few labels: {curves['kind'].replace('_', ' ')}, mean ± deviation over {draws} balanced draws"
    looked = any(point["transductive"] for point in curves["latents"])
    return title + ("\ntransductive: it saw the test samples, without their labels" if looked else "")
