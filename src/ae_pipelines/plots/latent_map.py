"""Latents in the plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots import text
from ae_pipelines.plots.colours import OTHERS, UNKNOWN, Colours, colours, matched, unknown
from ae_pipelines.plots.figure import entitle, new_figure, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAP_ROWS = 3000
"""A picture of more points is a blot: it shows a random sample of at most this many."""
PANEL = 5.4
"""Inches, about, of a side of a map."""
NAME_SIZE = 9
LEGEND_SIZE = 8
LEGEND_COLUMNS = 3
WIDEST_NAME = 1.2
"""Inches of the widest name that is written into a map; where one is wider, there is a legend."""


def latent_map(
    points: np.ndarray, labels: np.ndarray | None, groups: np.ndarray | None, kind: str, title: str, seed: int = 0
) -> "Figure":
    """Points (n, 2) coloured by label and by group of this kind, a group in the colour of its commonest label; by one
    alone without the other. Noise, group -1, and rows without a label, "", are grey."""
    chosen = np.random.default_rng(seed).permutation(len(points))[:MAP_ROWS]
    points = points[chosen]
    of_labels: Colours = {}
    of_groups: Colours = {}
    if labels is not None and groups is not None:
        of_labels, of_groups = matched(labels[chosen], groups[chosen])
    elif labels is not None:
        of_labels = colours(labels[chosen])
    elif groups is not None:
        of_groups = colours(groups[chosen])
    maps = []
    if labels is not None:
        named = "by label (never shown to the encoder)"
        maps.append((named, Map(points, labels[chosen], of_labels, "without a label")))
    if groups is not None:
        maps.append((f"by group ({kind})", Map(points, groups[chosen], of_groups, "noise")))
    if not maps:
        nothing = np.full(len(points), "")
        maps.append(("no labels and no groups", Map(points, nothing, of_labels, "samples")))
    return side_by_side(maps, 6.2, 6.0, title)


def side_by_side(maps: "list[tuple[str, Map]]", width: float, height: float, title: str) -> "Figure":
    """Maps, each of this size and with its title, and one over all."""
    figure, axes = new_figure(width * len(maps), height + max(one.inches for _, one in maps), 1, len(maps))
    for axis, (name, one) in zip(axes[0], maps, strict=True):
        one.draw(axis)
        title_of(axis, name, width - 0.4, 11)
    entitle(figure, title, 12)
    return figure


@dataclass(frozen=True)
class Map:
    """Points (n, 2) by label or group: names where they lie or, if these would not fit there, in a legend below."""

    points: np.ndarray
    values: np.ndarray
    """Label or group of each point; "" and -1 are unknown."""
    colours: Colours
    """Of the largest; all others share one."""
    unknown: str
    """What unknown values are."""

    @property
    def inches(self) -> float:
        """Height of the legend."""
        if self._in_place:
            return 0.0
        rows = -(-len(self._entries) // LEGEND_COLUMNS)
        lines = max(name.count("\n") + 1 for _, name in self._entries)
        return rows * (text.height(LEGEND_SIZE, lines) + 0.06) + 0.2

    def draw(self, axis: "Axes") -> None:
        """Draw it; what is unknown lies behind."""
        nobody = unknown(self.values)
        other = ~nobody & ~np.isin(self.values, list(self.colours))
        self._dots(axis, nobody, UNKNOWN if not nobody.all() else OTHERS, size=3, order=1)
        self._dots(axis, other, OTHERS, size=4, order=1.5)
        for name, colour in self.colours.items():
            self._dots(axis, self.values == name, colour, size=5, order=2)
        axis.set_xticks([])
        axis.set_yticks([])
        (self._write_names if self._in_place else self._add_legend)(axis)

    def _dots(self, axis: "Axes", rows: np.ndarray, colour: Any, size: float, order: float) -> None:
        x, y = self.points[rows].T
        axis.scatter(x, y, s=size, color=colour, linewidths=0, zorder=order)

    def _write_names(self, axis: "Axes") -> None:
        for (name, colour), (x, y) in zip(self.colours.items(), self._middles, strict=True):
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "alpha": 0.85}
            shown = text.fitted(str(name), WIDEST_NAME, NAME_SIZE)
            axis.text(x, y, shown, ha="center", va="center", fontsize=NAME_SIZE, bbox=box, zorder=3)
        if count := np.count_nonzero(unknown(self.values)):
            axis.set_xlabel(f"grey: {count:,} {self.unknown}", fontsize=LEGEND_SIZE, color="0.4")

    def _add_legend(self, axis: "Axes") -> None:
        from matplotlib.lines import Line2D

        marks = [Line2D([], [], marker="o", linestyle="", color=colour, markersize=5) for colour, _ in self._entries]
        place: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.01), "ncols": LEGEND_COLUMNS}
        names = [name for _, name in self._entries]
        axis.legend(marks, names, **place, fontsize=LEGEND_SIZE, frameon=False, handletextpad=0.2, columnspacing=1)

    @property
    def _entries(self) -> list[tuple[Any, str]]:
        """Colours and names of the legend."""
        wide = PANEL / LEGEND_COLUMNS - 0.35
        names = text.beside([str(name) for name in self.colours], text.height(LEGEND_SIZE, 3), LEGEND_SIZE, wide).texts
        entries: list[tuple[Any, str]] = list(zip(self.colours.values(), names, strict=True))
        if others := self._others:
            entries.append((OTHERS, f"{others:,} others"))
        if count := np.count_nonzero(unknown(self.values)):
            entries.append((UNKNOWN, f"{count:,} {self.unknown}"))
        return entries

    @property
    def _others(self) -> int:
        """Number of classes or groups without a colour of their own."""
        return len(np.unique(self.values[~unknown(self.values)])) - len(self.colours)

    @property
    def _middles(self) -> np.ndarray:
        """Where names are written, (names, 2)."""
        return np.array([np.median(self.points[self.values == name], axis=0) for name in self.colours]).reshape(-1, 2)

    @property
    def _in_place(self) -> bool:
        """Whether all names fit into the map, none over another."""
        if self._others:
            return False
        sizes = np.array([(text.width(_as_drawn(name), NAME_SIZE), text.height(NAME_SIZE)) for name in self.colours])
        sizes = sizes.reshape(-1, 2) + 0.1
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        places = (0.5 + 0.9 * (self._middles - (low + high) / 2) / span) * PANEL
        inside = (places - sizes / 2 >= 0) & (places + sizes / 2 <= PANEL)
        apart = (np.abs(places[:, None] - places[None]) >= (sizes[:, None] + sizes[None]) / 2).any(axis=2)
        np.fill_diagonal(apart, True)
        return bool(inside.all() and (sizes[:, 0] <= WIDEST_NAME).all() and apart.all())


def _as_drawn(name: Any) -> str:
    return text.fitted(str(name), 100.0, NAME_SIZE)
