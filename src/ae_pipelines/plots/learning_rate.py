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


def curve(found: "Curve") -> "Figure":
    """Loss of each step and smoothed against its learning rate; lines at the suggested rate, at the recipe's own, and
    where the loss rises again."""
    figure, axes = new_figure(6.4, 4.0)
    axis = axes[0, 0]
    for number, (name, smoothed) in enumerate(found.smoothed.items()):
        axis.plot(found.rates, found.losses[name], color=f"C{number}", alpha=0.3, linewidth=0.8)
        axis.plot(found.rates, smoothed, color=f"C{number}", linewidth=2, label=f"loss · {name}, smoothed")
    own = "the recipe's" if found.schedule == "constant" else f"the recipe's (peak of {found.schedule})"
    axis.axvline(found.own, color=OWN, linestyle="--", label=f"{own}: {found.own:.1e}")
    if found.suggested is not None:
        axis.axvline(found.suggested, color=SUGGESTED, label=f"suggested: {found.suggested:.1e}")
    if found.highest_stable is not None and found.highest_stable < found.rates[-1]:
        label = f"rises again above {found.highest_stable:.1e}"
        axis.axvspan(found.highest_stable, found.rates[-1], color=UNSTABLE, alpha=0.15, label=label)
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss of a train batch")
    axis.set_ylim(*_shown(found))
    axis.legend(fontsize=8, loc="best")
    entitle(figure, f"learning-rate test of {found.recipe}: one short training in which the rate grows")
    return figure


def _shown(found: "Curve") -> tuple[float, float]:
    """From below the lowest loss to above the loss at the start, of all players."""
    low = min(min(each) for each in found.losses.values())
    high = max(np.max(each[: max(1, len(each) // 2)]) for each in found.losses.values())
    room = ABOVE * (high - low)
    return low - room, high + room
