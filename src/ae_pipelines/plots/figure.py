"""Figures and axes for all pictures."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots import text
from ae_pipelines.samples.tables.treatments import columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_FEATURES = 40
"""Up to so many columns of a heat map are named."""
FEATURE_SIZE = 7
"""Font size of these names."""


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", np.ndarray]:
    """A figure of this size in inches, and its axes (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _figure_class()(figsize=(width, height), dpi=text.DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


@cache
def _figure_class() -> Any:
    from matplotlib.artist import allow_rasterization
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    class Readable(Figure):
        """Draws all of its texts with fonts that have the letters, as `text` has measured them."""

        @allow_rasterization
        def draw(self, renderer: Any) -> None:
            for one in self.findobj(Text):
                one.set_fontfamily(text.families())
            if layout := self.get_layout_engine():
                layout.execute(self)  # images find their size, which the next time makes room for their names
            super().draw(renderer)

    return Readable


def entitle(figure: "Figure", title: str, size: float = 10) -> None:
    """A title above all axes, in lines of the figure's width, for which the figure becomes higher."""
    wide, high = figure.get_size_inches()
    said = text.fitted(title, wide - 0.3, size, lines=6)
    figure.set_size_inches(wide, high + text.height(size, said.count("\n")))
    figure.suptitle(said, fontsize=size)


def title_of(axis: "Axes", title: str, inches: float, size: float = 10, **style: Any) -> None:
    """A title above an axis that is so wide."""
    axis.set_title(text.fitted(title, inches, size, lines=4), fontsize=size, **style)


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


def column_names(spec: Any) -> Sequence[str]:
    """The names of the columns that samples of this `SampleSpec` were read from, in the order of their features; none
    where features are not columns."""
    names = columns_of(spec.preprocessing)
    return tuple(map(str, names)) if spec.shape == (len(names),) else ()


def name_features(axis: "Axes", names: Sequence[str], inches: float) -> None:
    """The names of the columns of a heat map that is so wide, where there is room for them."""
    if not 0 < len(names) <= MOST_FEATURES:
        axis.xaxis.set_major_locator(whole_numbers())
        axis.set_xlabel("feature")
        return
    shown = text.under(names, inches / len(names), FEATURE_SIZE, most=1.4)
    axis.set_xticks(range(len(names)), shown.texts, rotation=shown.rotation, fontsize=FEATURE_SIZE)


def features_inches(names: Sequence[str], inches: float) -> float:
    """What `name_features` adds to the height of a picture."""
    if not 0 < len(names) <= MOST_FEATURES:
        return 0.0
    return text.under(names, inches / len(names), FEATURE_SIZE, most=1.4).inches


def spaced(places: Sequence[float] | np.ndarray, texts: Sequence[str], inches: float, size: float) -> list[str]:
    """The texts at ascending places along an axis that is so long; empty are those that would touch the next one, from
    the last, which stays, backwards."""
    span = max(places[-1] - places[0], 1e-9) if len(places) else 1.0
    kept, left = [""] * len(texts), float("inf")
    for number in reversed(range(len(texts))):
        half = text.width(texts[number], size) / 2 + 0.03
        middle = (places[number] - places[0]) / span * inches
        if middle + half <= left:
            kept[number], left = texts[number], middle - half
    return kept
