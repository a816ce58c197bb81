"""Pictures of what a decoder makes."""

from typing import TYPE_CHECKING

import numpy as np

from ae_pipelines.plots import text
from ae_pipelines.plots.colours import colours
from ae_pipelines.plots.figure import entitle, new_figure, title_of
from ae_pipelines.plots.latent_map import Map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ae_pipelines.generation.arithmetic import Arithmetic
    from ae_pipelines.generation.gaps import Gaps
    from ae_pipelines.generation.interpolation import Interpolation
    from ae_pipelines.generation.manifold import Manifold
    from ae_pipelines.generation.traversal import Traversal

ACROSS = 10
"""Samples in a row of the grid, where there are no classes."""
MOST_CLASSES = 16
"""Up to this many classes, each has a column."""
MOST_ROWS = 10
MOST_COLUMNS = 24
SIDE, COLUMN = 0.55, 0.8
"""Inches of an image in the grid, and in a column of before and after."""
GAP = 1
"""Pixels between images."""
FRAME_PIXELS = 112
"""Pixels, about, of the shorter side of an animation."""
FAR_TINT = np.array([0.77, 0.31, 0.32])


def said(why: str) -> "Figure":
    """Why there is no picture."""
    figure, axes = new_figure(7.0, 1.2)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text.fitted(why, 6.4, 9, lines=6), ha="center", va="center", fontsize=9)
    return figure


def new_samples(samples: np.ndarray, classes: tuple[str, ...], title: str) -> "Figure":
    """A grid of samples (n, *shape), whose classes, if any, come in turn."""
    across = len(classes) if 1 < len(classes) <= MOST_CLASSES else ACROSS
    across = min(across, len(samples))
    down = min(MOST_ROWS, len(samples) // across)
    names = text.under(classes if len(classes) == across else [], SIDE, 8)
    figure, axes = new_figure(max(4.0, SIDE * across + 0.4), SIDE * down + 0.6 + names.inches)
    axis = axes[0, 0]
    centres, _ = _show(axis, samples[: across * down].reshape(down, across, *samples.shape[1:]))
    if len(classes) == across and len(centres) == across:
        axis.set_xticks(centres, names.texts, rotation=names.rotation, fontsize=8)
        axis.xaxis.tick_top()
    entitle(figure, title, 9)
    return figure


def manifold(found: "Manifold", title: str) -> "Figure":
    """The decoded plane, and beside it where real samples lie in it, by label."""
    panels = 2 if len(found.points) else 1
    known = colours(found.labels)
    places = Map(found.points, found.labels, known, "without a label" if known else "samples")
    figure, axes = new_figure(6.0 * panels, 6.3 + (places.inches if panels > 1 else 0.0), 1, panels)
    _show(axes[0, 0], found.pictures)
    axes[0, 0].set_title("decoded, equal steps between quantiles", fontsize=10)
    if panels > 1:
        places.draw(axes[0, 1])
        axes[0, 1].set_title("where samples lie, by label" if (found.labels != "").any() else "where samples lie",
                             fontsize=10)  # fmt: skip
    entitle(figure, title, 11)
    return figure


def interpolation(found: "Interpolation", title: str) -> "Figure":
    """A row for each path, between the real samples where these are the ends."""
    made = np.stack(list(found.rows.values()))
    real = found.ends.pictures
    if real is not None:
        sides = np.stack([real] * len(made))
        made = np.concatenate([sides[:, :1], made, sides[:, 1:]], axis=1)
    wide = 0.75 * made.shape[1]
    ends = [text.fitted(name, wide / 2 - 0.1, 7, lines=3) for name in found.ends.names]
    more = text.height(7, max(name.count("\n") for name in ends))
    figure, axes = new_figure(wide + 0.9, 0.75 * len(made) + 0.9 + more)
    across, down = _show(axes[0, 0], made)
    _name_rows(axes[0, 0], down, list(found.rows))
    if len(across):
        axes[0, 0].set_xticks(across[[0, -1]], ends, fontsize=7)
        axes[0, 0].get_xticklabels()[0].set_ha("left")
        axes[0, 0].get_xticklabels()[1].set_ha("right")
    entitle(figure, title, 9)
    return figure


def frames(found: "Interpolation") -> np.ndarray:
    """Frames of an animation, (n, height, width, 3), uint8, enlarged by whole numbers."""
    pictures = _in_colour(_unit(found.frames))
    times = max(1, round(FRAME_PIXELS / min(pictures.shape[1:3])))
    large = pictures.repeat(times, axis=1).repeat(times, axis=2)
    return np.rint(large * 255).astype(np.uint8)


def arithmetic(found: "Arithmetic", title: str) -> "Figure":
    """Before, after, and the real sample nearest to the result, with its label; of the first samples."""
    pictures = np.stack([found.before, found.after, found.nearest])[:, :MOST_COLUMNS]
    names = text.under(found.labels[:MOST_COLUMNS], COLUMN, 8)
    rows = text.beside(["z", found.said, "nearest real"], COLUMN, 8)
    width = COLUMN * pictures.shape[1] + max(2.2, rows.inches + 0.4)
    figure, axes = new_figure(width, COLUMN * 3 + 0.8 + max(0.0, names.inches - text.height(8)))
    across, down = _show(axes[0, 0], pictures)
    _name_rows(axes[0, 0], down, rows.texts)
    if len(across):
        axes[0, 0].set_xticks(across, names.texts, rotation=names.rotation, fontsize=8)
    entitle(figure, title, 9)
    return figure


def traversal(found: "Traversal", title: str) -> "Figure":
    """A row for each latent, from low to high."""
    down, across = found.pictures.shape[:2]
    figure, axes = new_figure(max(4.0, 0.6 * across + 1.2), 0.6 * down + 0.6)
    _, places = _show(axes[0, 0], found.pictures)
    changes = zip(found.latents, found.changes, strict=False)
    _name_rows(axes[0, 0], places, [f"z{latent}: {change:.3f}" for latent, change in changes])
    entitle(figure, title, 9)
    return figure


def gaps(found: "list[Gaps]") -> "Figure":
    """A panel for each latent space: what its points decode into, red where that is far from any real sample."""
    figure, axes = new_figure(6.0 * len(found), 6.4, 1, len(found))
    for axis, one in zip(axes[0], found, strict=True):
        far = one.distances > one.far_from
        if one.pictures.ndim == 5:
            _show(axis, one.pictures, far)
        else:
            axis.imshow(far, cmap="Reds", vmin=0, vmax=1.5)
            axis.set_xticks([])
            axis.set_yticks([])
        title_of(axis, f"{one.name}: {one.share:.0%} of the points are far from any real sample (red)", 5.7)
    return figure


def _show(axis: "Axes", pictures: np.ndarray, tinted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (rows, columns, channels, height, width) side by side, or vectors (rows, columns, features) as a heat map,
    a line each; gives the places of columns (none of vectors) and rows on the axis."""
    axis.set_xticks([])
    axis.set_yticks([])
    down, across = pictures.shape[:2]
    if pictures.ndim != 5:
        values = pictures.reshape(down * across, -1)
        most = float(np.quantile(np.abs(values), 0.99)) or 1.0
        axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_xlabel("feature", fontsize=8)
        return np.empty(0), (np.arange(down) + 0.5) * across - 0.5
    colours = _in_colour(_unit(pictures.reshape(-1, *pictures.shape[2:])))
    if tinted is not None:
        colours[tinted.ravel()] = 0.55 * colours[tinted.ravel()] + 0.45 * FAR_TINT
    height, width = colours.shape[1] + GAP, colours.shape[2] + GAP
    sheet = np.ones((down, across, height, width, 3), np.float32)
    sheet[:, :, : height - GAP, : width - GAP] = colours.reshape(down, across, height - GAP, width - GAP, 3)
    axis.imshow(sheet.transpose(0, 2, 1, 3, 4).reshape(down * height, across * width, 3)[:-GAP, :-GAP])
    axis.spines[:].set_visible(False)
    return (np.arange(across) + 0.5) * width - 1, (np.arange(down) + 0.5) * height - 1


def _unit(pictures: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as they are; others are rescaled to it."""
    low, high = float(pictures.min()), float(pictures.max())
    if low < 0 or high > 1:
        low, high = np.quantile(pictures, [0.01, 0.99])
        pictures = (pictures - low) / max(high - low, 1e-9)
    return pictures.clip(0, 1)


def _in_colour(pictures: np.ndarray) -> np.ndarray:
    """(n, height, width, 3) of images (n, channels, height, width), of which with neither one nor three channels the
    first is shown, or of vectors (n, features) as stripes."""
    if pictures.ndim == 2:
        pictures = pictures[:, None, None, :].repeat(max(1, pictures.shape[1] // 4), axis=2)
    channels = pictures if pictures.shape[1] in (1, 3) else pictures[:, :1]
    return np.broadcast_to(channels.transpose(0, 2, 3, 1), (*channels[:, 0].shape, 3)).copy()


def _name_rows(axis: "Axes", places: np.ndarray, names: list[str]) -> None:
    axis.set_yticks(places, names, fontsize=8)
    axis.tick_params(length=0)
