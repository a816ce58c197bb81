"""New rows beside the reference."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import BATCH_ROWS
from ae_pipelines.plots import text
from ae_pipelines.plots.anomalies import histogram
from ae_pipelines.plots.figure import entitle, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE, NEW = "reference", "new rows"
COLOURS = {REFERENCE: "C0", NEW: "C1"}
DRIFTED, OTHER = "#c44e52", "0.65"
MOST_LATENTS = 100
"""At most so many of the latents that differ most."""
FEW_LATENTS = 6
MOST_CLUSTERS = 15
"""At most so many of the clusters whose shares differ most."""


def drift(reference: Distribution, batch: Distribution, report: dict[str, Any]) -> "Figure":
    """The distribution of errors, shares of clusters, and the difference of each latent, on both sides; `report` as
    `drift.compare` gives it for them. Where a side has no rows, the verdict alone."""
    if not report["latents"]:
        return _verdict_alone(report["said"])
    panels = _panels(reference, batch, report)
    figure, axes = new_figure(4.4 * len(panels), 4.3, 1, len(panels))
    for axis, panel in zip(axes[0], panels, strict=True):
        panel(axis)
        axis.spines[["top", "right"]].set_visible(False)
    entitle(figure, report["said"], 11)
    return figure


def _verdict_alone(said: str) -> "Figure":
    figure, axes = new_figure(8.8, 1.5)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0.5, 0.5, text.fitted(said, 8.0, 12, 4), ha="center", va="center", fontsize=12, color="0.3")
    return figure


def _panels(reference: Distribution, batch: Distribution, report: dict[str, Any]) -> list[Callable[["Axes"], None]]:
    panels: list[Callable[[Axes], None]] = []
    if report["error"]:
        panels.append(lambda axis: _errors(axis, reference, batch, report))
    panels.append(lambda axis: _clusters(axis, report))
    panels.append(lambda axis: _latents(axis, report))
    return panels


def _errors(axis: "Axes", reference: Distribution, batch: Distribution, report: dict[str, Any]) -> None:
    sides = {REFERENCE: reference.errors, NEW: batch.sample(BATCH_ROWS, report["seed"]).errors}
    histogram(axis, {name: errors for name, errors in sides.items() if errors is not None})
    for name, median in ((REFERENCE, "reference_median"), (NEW, "median")):
        axis.axvline(report["error"][median], color=COLOURS[name], linestyle="--", linewidth=1.2)
    axis.set_ylim(top=1.25 * axis.get_ylim()[1])  # for the legend
    axis.legend(fontsize=8, frameon=False, loc="upper left")
    axis.set(xlabel="reconstruction error (dashed: medians)", ylabel="share of the rows")
    _title(axis, "errors", report["error"]["drifted"], f"KS statistic {report['error']['statistic']:.2f}")


def _clusters(axis: "Axes", report: dict[str, Any]) -> None:
    shares = report["clusters"]["shares"]
    most = sorted(shares, key=lambda group: -abs(shares[group][1] - shares[group][0]))[:MOST_CLUSTERS]
    groups = sorted(most, key=int)
    places = np.arange(len(groups))
    for side, (name, colour) in enumerate(COLOURS.items()):
        heights = [shares[group][side] for group in groups]
        axis.bar(places + 0.4 * side - 0.2, heights, 0.4, color=colour, alpha=0.75, label=name)
    axis.set_xticks(places, ["noise" if group == "-1" else group for group in groups], fontsize=8)
    more = f" (the {len(groups)} of {len(shares)} that differ most)" if len(groups) < len(shares) else ""
    axis.set(xlabel=f"cluster{more}", ylabel="share of the rows")
    axis.margins(y=0.15)
    axis.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    clusters = report["clusters"]
    _title(axis, "clusters", clusters["drifted"], f"shares differ by {clusters['total_variation']:.1%}")


def _latents(axis: "Axes", report: dict[str, Any]) -> None:
    latents = report["latents"]
    most = sorted(latents, key=lambda latent: -latent["statistic"])[:MOST_LATENTS]
    shown = sorted(most, key=lambda latent: latent["latent"])
    colours = [DRIFTED if latent["drifted"] else OTHER for latent in shown]
    axis.bar(range(len(shown)), [latent["statistic"] for latent in shown], 0.8, color=colours)
    _floor(axis, report)
    beside = max(0.8, (FEW_LATENTS - len(shown)) / 2)  # two bars are no wider than six
    axis.set_xlim(-beside, len(shown) - 1 + beside)
    axis.set_ylim(0, 1.25 * max(report["smallest_effect"], axis.get_ylim()[1] / 1.05))
    every = range(0, len(shown), 1 + len(shown) // 16) if len(shown) == len(latents) else []
    axis.set_xticks(every)
    axis.set(xlabel="latent" if every else f"the {len(shown)} latents that differ most", ylabel="KS statistic")
    count = sum(latent["drifted"] for latent in latents)
    judged = "too few rows to judge" if report["drift_from"] is None else f"{count} of {len(latents)} drifted"
    _title(axis, "latents", count > 0, judged)


def _floor(axis: "Axes", report: dict[str, Any]) -> None:
    """A line where drift begins; none with too few rows."""
    if (start := report["drift_from"]) is None:
        return
    axis.axhline(start, color="0.2", linestyle="--", linewidth=1.2, label=f"drift from {start:.2g} on")
    axis.legend(fontsize=8, frameon=False, loc="upper left")


def _title(axis: "Axes", what: str, drifted: bool, said: str) -> None:
    axis.set_title(f"{what}: {said}", fontsize=10, color=DRIFTED if drifted else "black")
