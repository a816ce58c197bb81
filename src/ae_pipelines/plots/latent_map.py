"""Latents in the plane."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAP_ROWS = 3000
"""t-SNE is slow: the latent map shows a random sample of at most this many rows."""


def latent_map(vectors: np.ndarray, labels: np.ndarray | None, clusters: np.ndarray, seed: int = 0) -> "Figure":
    """Latents (n, d) in the plane by t-SNE, coloured by label and by group; by group alone without labels."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:MAP_ROWS]
    points = in_the_plane(vectors[chosen], seed)
    panels = [] if labels is None else [("by label (never shown to the encoder)", labels[chosen])]
    panels.append(("by group (KMeans)", clusters[chosen]))
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
    from matplotlib import colormaps

    names, codes = np.unique(colours, return_inverse=True)
    palette = colormaps["tab10" if len(names) <= 10 else "turbo"]
    for code, name in enumerate(names):
        these = points[codes == code]
        colour = palette(code if len(names) <= 10 else code / (len(names) - 1))
        axis.scatter(these[:, 0], these[:, 1], s=5, color=colour, linewidths=0)
        if len(names) <= 20 and len(these):
            x, y = np.median(these, axis=0)
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "alpha": 0.85}
            axis.text(x, y, str(name), ha="center", va="center", fontsize=9, bbox=box)
    axis.set_xticks([])
    axis.set_yticks([])
