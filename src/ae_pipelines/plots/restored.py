"""Images before and after they were restored."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots.figure import entitle, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def restored(columns: list[Any], baseline: str, recipe: str) -> "Figure":
    """A column for each image: clean (where it is known), corrupted, the best that needs no training, restored."""
    rows: dict[str, list[np.ndarray | None]] = {
        "clean": [column.clean for column in columns],
        "corrupted": [column.corrupted for column in columns],
        baseline.replace("_", " "): [column.baselines.get(baseline) for column in columns],
        "restored": [column.restored for column in columns],
    }
    rows.pop("identity", None)  # it is the corrupted image
    rows = {name: images for name, images in rows.items() if any(image is not None for image in images)}
    figure, axes = new_figure(max(4.0, 1.1 * len(columns) + 0.9), 1.15 * len(rows) + 0.5, len(rows), len(columns))
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            if image is None:
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)  # keeps the name beside the row
            else:
                show(axis, image)
        line[0].set_ylabel(name)
    entitle(figure, f"{recipe}: images restored")
    return figure
