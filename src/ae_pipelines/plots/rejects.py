"""The samples that ingest rejected."""

from typing import TYPE_CHECKING

import pandas as pd

from ae_pipelines.plots import text
from ae_pipelines.plots.figure import entitle, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ae_pipelines.samples.store import Manifest


BAR = 0.32
"""Inches of a bar with the room above it."""
NAME_SIZE = 10


def rejects_summary(manifest: "Manifest", reasons: pd.Series) -> "Figure":
    """How many samples were read, accepted and rejected; a bar for each of the commonest reasons."""
    shown = reasons.head(15)[::-1]
    figure, axes = new_figure(9.0, 1.6 + BAR * max(1, len(shown)))
    axis = axes[0, 0]
    names = text.beside([str(reason) for reason in shown.index], BAR, NAME_SIZE, most=5.0)
    bars = axis.barh(range(len(shown)), shown.to_numpy(), color="#c44e52")
    axis.set_yticks(range(len(shown)), names.texts, fontsize=NAME_SIZE)
    axis.bar_label(bars, padding=3, fontsize=9)
    axis.margins(x=0.1)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.set_xticks([])
    if not len(shown):
        axis.text(0.5, 0.5, "nothing was left out", ha="center", va="center", transform=axis.transAxes)
        axis.axis("off")
    title = (
        f"{manifest.source}: {manifest.read:,} read = {manifest.accepted:,} accepted + {manifest.rejected:,} rejected"
    )
    entitle(figure, title + (f" ({manifest.duplicates:,} duplicates)" if manifest.duplicates else ""), 11)
    return figure
