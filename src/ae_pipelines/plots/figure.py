"""Figures and axes for all pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", np.ndarray]:
    """A figure of this size in inches, and its axes (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def show(axis: "Axes", picture: np.ndarray) -> None:
    """The image itself or, if it has neither one nor three channels, its first channel."""
    channels = picture if len(picture) in (1, 3) else picture[:1]
    axis.imshow(np.clip(channels.transpose(1, 2, 0), 0, 1), cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])


def whole_numbers() -> Any:
    """Set the ticks of an axis."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)
