"""A learning-rate range test as a picture."""

from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots.figure import entitle, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ae_pipelines.tuning.learning_rate import Curve

SUGGESTED, OWN, UNSTABLE = "#2a7a2a", "0.3", "#c44e52"
ABOVE = 0.15
"""Room above the loss at the start, as a share of its fall: where it diverges, the curve leaves the picture."""


def learning_rate_curve(curve: "Curve") -> "Figure":
    """Loss of each step and smoothed against its learning rate; lines at the suggested rate, at the recipe's own, and
    where the loss rises again."""
    figure, axes = new_figure(6.4, 4.0)
    axis = axes[0, 0]
    for number, (name, smoothed) in enumerate(curve.smoothed.items()):
        axis.plot(curve.rates, curve.losses[name], color=f"C{number}", alpha=0.3, linewidth=0.8)
        axis.plot(curve.rates, smoothed, color=f"C{number}", linewidth=2, label=f"loss · {name}, smoothed")
    own = "the recipe's" if curve.schedule == "constant" else f"the recipe's (peak of {curve.schedule})"
    axis.axvline(curve.own, color=OWN, linestyle="--", label=f"{own}: {curve.own:.1e}")
    if curve.suggested is not None:
        axis.axvline(curve.suggested, color=SUGGESTED, label=f"suggested: {curve.suggested:.1e}")
    if curve.highest_stable is not None and curve.highest_stable < curve.rates[-1]:
        label = f"rises again above {curve.highest_stable:.1e}"
        axis.axvspan(curve.highest_stable, curve.rates[-1], color=UNSTABLE, alpha=0.15, label=label)
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss of a train batch")
    axis.set_ylim(*_shown(curve))
    axis.legend(fontsize=8, loc="best")
    entitle(figure, f"learning-rate test of {curve.recipe}: one short training in which the rate grows")
    return figure


def _shown(curve: "Curve") -> tuple[float, float]:
    """From below the lowest loss to above the loss at the start, of all players."""
    low = min(min(each) for each in curve.losses.values())
    high = max(np.max(each[: max(1, len(each) // 2)]) for each in curve.losses.values())
    room = ABOVE * (high - low)
    return low - room, high + room
