"""Latents in the plane."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAP_ROWS = 3000
"""t-SNE is slow: the latent map shows a random sample of at most this many rows."""

NAMED = 20
"""How many names fit into a map: those of the largest groups."""


def latent_map(
    vectors: np.ndarray, labels: np.ndarray | None, clusters: np.ndarray, kind: str, seed: int = 0
) -> "Figure":
    """Latents (n, d) in the plane by t-SNE, coloured by label and by group of this kind; by group alone without
    labels. Noise, group -1, is grey."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:MAP_ROWS]
    points = in_the_plane(vectors[chosen], seed)
    panels = [] if labels is None else [("by label (never shown to the encoder)", labels[chosen])]
    panels.append((f"by group ({kind})", clusters[chosen]))
    figure, axes = new_figure(6.2 * len(panels), 6.0, 1, len(panels))
    for axis, (title, colours) in zip(axes[0], panels, strict=True):
        scatter(axis, points, colours)
        axis.set_title(title, fontsize=11)
    figure.suptitle(f"Latent map: t-SNE of {len(chosen):,} of {len(vectors):,} latents (d = {vectors.shape[1]})")
    return figure


def in_the_plane(vectors: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    if vectors.shape[1] == 2:
        return vectors
    perplexity = min(30.0, max(1.0, (len(vectors) - 1) / 3))
    start: Any = "pca" if vectors.shape[1] > 1 else "random"
    return TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(vectors)


def scatter(axis: "Axes", points: np.ndarray, colours: np.ndarray) -> None:
    """Points (n, 2) by colour, the names of the largest few among them; -1 is grey and behind."""
    from matplotlib import colormaps

    noise = colours == -1 if colours.dtype.kind == "i" else np.zeros(len(colours), bool)
    axis.scatter(points[noise, 0], points[noise, 1], s=3, color="0.8", linewidths=0)
    names, codes, sizes = np.unique(colours[~noise], return_inverse=True, return_counts=True)
    palette = colormaps["tab10" if len(names) <= 10 else "turbo"]
    named = set(np.argsort(-sizes, kind="stable")[:NAMED])
    for code, name in enumerate(names):
        these = points[~noise][codes == code]
        colour = palette(code if len(names) <= 10 else code / (len(names) - 1))
        axis.scatter(these[:, 0], these[:, 1], s=5, color=colour, linewidths=0)
        if code in named:
            x, y = np.median(these, axis=0)
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "alpha": 0.85}
            axis.text(x, y, str(name), ha="center", va="center", fontsize=9, bbox=box)
    axis.set_xticks([])
    axis.set_yticks([])
