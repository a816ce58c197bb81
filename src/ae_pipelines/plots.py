"""Pictures of a run; each function gives a matplotlib figure."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ae_pipelines.samples import Manifest

DPI = 110
MAP_ROWS = 3000
"""t-SNE is slow: the latent map shows a random sample of at most this many rows."""


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def examples(rows: dict[str, np.ndarray], title: str) -> "Figure":
    """Rows of samples by name, one below the other: images (n, channels, height, width) side by side, vectors
    (n, features) as heat maps."""
    images = next(iter(rows.values())).ndim == 4
    figure = (_rows_of_images if images else _heat_maps)(rows)
    figure.suptitle(title, fontsize=10)
    return figure


def _rows_of_images(rows: dict[str, np.ndarray]) -> "Figure":
    count = len(next(iter(rows.values())))
    figure, axes = _figure(0.9 * count + 0.9, 0.95 * len(rows) + 0.5, len(rows), count)
    clean = rows.get("sample", next(iter(rows.values())))
    unit = clean.min() >= 0 and clean.max() <= 1
    low, high = (0.0, 1.0) if unit else np.quantile(clean, (0.01, 0.99))
    for row, (name, pictures) in enumerate(rows.items()):
        for axis, picture in zip(axes[row], pictures, strict=True):
            _show(axis, (picture - low) / (high - low))
        axes[row, 0].set_ylabel(name)
    return figure


def _show(axis: "Axes", picture: np.ndarray) -> None:
    """Of a picture with neither one nor three channels, the first."""
    channels = picture if len(picture) in (1, 3) else picture[:1]
    axis.imshow(np.clip(channels.transpose(1, 2, 0), 0, 1), cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])


def _heat_maps(rows: dict[str, np.ndarray]) -> "Figure":
    figure, axes = _figure(9.0, 2.0 * len(rows) + 0.5, len(rows), 1)
    clean = rows.get("sample", next(iter(rows.values())))
    most = float(np.quantile(np.abs(clean), 0.99)) or 1.0
    for axis, (name, values) in zip(axes[:, 0], rows.items(), strict=True):
        values = values.reshape(len(values), -1)
        shown = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        axis.set_ylabel(f"{name}: samples")
        axis.set_yticks([])
        axis.set_xticks([])
    axes[-1, 0].xaxis.set_major_locator(_whole_numbers())
    axes[-1, 0].set_xlabel("feature")
    figure.colorbar(shown, ax=list(axes[:, 0]), label="value as the model sees it")
    return figure


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def rejects_summary(manifest: "Manifest", reasons: pd.Series) -> "Figure":
    """How many samples were read, taken and left out; a bar for each of the commonest reasons."""
    shown = reasons.head(15)[::-1]
    figure, axes = _figure(9.0, 1.6 + 0.32 * max(1, len(shown)))
    axis = axes[0, 0]
    names = [textwrap.shorten(str(reason), 70, placeholder="...") for reason in shown.index]
    bars = axis.barh(names, shown.to_numpy(), color="#c44e52")
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
    figure.suptitle(title + (f" ({manifest.duplicates:,} duplicates)" if manifest.duplicates else ""), fontsize=11)
    return figure


def latent_map(vectors: np.ndarray, labels: np.ndarray | None, clusters: np.ndarray, seed: int = 0) -> "Figure":
    """Latents (n, d) in the plane by t-SNE, coloured by label and by group; by group alone without labels."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:MAP_ROWS]
    points = _in_the_plane(vectors[chosen], seed)
    panels = [] if labels is None else [("by label (never shown to the encoder)", labels[chosen])]
    panels.append(("by group (KMeans)", clusters[chosen]))
    figure, axes = _figure(6.2 * len(panels), 6.0, 1, len(panels))
    for axis, (title, colours) in zip(axes[0], panels, strict=True):
        _scatter(axis, points, colours)
        axis.set_title(title, fontsize=11)
    figure.suptitle(f"Latent map: t-SNE of {len(chosen):,} of {len(vectors):,} latents (d = {vectors.shape[1]})")
    return figure


def _in_the_plane(vectors: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    if vectors.shape[1] == 2:
        return vectors
    perplexity = min(30.0, max(1.0, (len(vectors) - 1) / 3))
    start: Any = "pca" if vectors.shape[1] > 1 else "random"
    return TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(vectors)


def _scatter(axis: "Axes", points: np.ndarray, colours: np.ndarray) -> None:
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


def confusion_matrix(counts: pd.DataFrame, accuracy: float) -> "Figure":
    """Counts of true (rows) by predicted class (columns), shaded by share of the true class."""
    classes = [str(name) for name in counts.index]
    size = max(4.5, 0.5 * len(classes) + 1.5)
    figure, axes = _figure(size, size)
    axis = axes[0, 0]
    values = counts.to_numpy()
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 30:
        for (row, column), count in np.ndenumerate(values):
            colour = "white" if shares[row, column] > 0.5 else "black" if count else "0.75"
            axis.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
        axis.set_xticks(range(len(classes)), classes)
        axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(f"Classifier on the latents, test split: accuracy {accuracy:.3f}", fontsize=10)
    return figure


def learning_curves(history: list[dict[str, Any]]) -> "Figure":
    """Loss terms by epoch on train and validation batches, and the learning rate; a line where a phase begins."""
    table = pd.DataFrame(history)
    epochs = np.arange(1, len(table) + 1)
    figure, axes = _figure(10.0, 4.0, 1, 2)
    names = [name.removeprefix("train/") for name in table.columns if name.startswith("train/")]
    for number, name in enumerate(names):
        for kind, style in (("train", "-"), ("validation", "--")):
            if (column := f"{kind}/{name}") in table:
                label = f"{kind} · {name.replace('/', ' · ')}"
                axes[0, 0].plot(epochs, table[column], style, color=f"C{number}", label=label)
    terms = table.filter(regex="^(train|validation)/")
    positive = bool((terms.isna() | (terms > 0)).to_numpy().all())
    axes[0, 0].set(xlabel="epoch", yscale="log" if positive else "linear", title="loss terms")
    axes[0, 0].legend(fontsize=8)
    axes[0, 1].plot(epochs, table["learning_rate"], color="0.4")
    axes[0, 1].set(xlabel="epoch", title="learning rate")
    axes[0, 1].set_ylim(bottom=0)
    for start in np.flatnonzero(table["phase"] != table["phase"].shift())[1:]:
        for axis in axes[0]:
            axis.axvline(start + 0.5, color="0.7", linewidth=0.8)
    return figure
