"""The neighbours of six photos by several encoders, for `docs/photos.md`."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ae_pipelines.downstream.nearest import Index
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.plots.figure import new_figure, show
from ae_pipelines.samples.store import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENCODERS = ("dense", "patches", "views", "photos", "pretrained")
QUERIES, NEIGHBOURS = 6, 5
SEED = 3
"""Of the queries, which are of six classes; nothing else was looked at."""
ALIKE, OTHER = "#2a7f3f", "#c44e52"
INCH = 0.42
"""Inches of an image."""


def neighbours(samples: Samples, folder: Path) -> "Figure":
    """Test photos down, and to the right of each the nearest train photos by each encoder that has latents in
    `folder`, nearest first; green frames are of the photo's class, red ones are not."""
    files = {name: path for name in ENCODERS if (path := folder / name / "latents.parquet").exists()}
    queries = _queries(samples)
    columns = 1 + len(files) * (NEIGHBOURS + 1)  # with a gap before each encoder
    figure, axes = new_figure(INCH * columns, INCH * QUERIES + 0.35, QUERIES, columns)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.0, hspace=0.0)
    for axis in axes.flat:
        axis.axis("off")
    for line, query in zip(axes, queries, strict=True):
        _photo(line[0], samples, query, "black")
    for place, (name, path) in enumerate(files.items()):
        first = 2 + place * (NEIGHBOURS + 1)
        axes[0, first + NEIGHBOURS // 2].set_title(name, fontsize=9)
        for line, query, found in zip(axes, queries, _nearest(LatentsFile(path), queries), strict=True):
            labels = LatentsFile(path).labels
            for axis, row in zip(line[first:], found, strict=False):
                _photo(axis, samples, row, ALIKE if labels[row] == labels[query] else OTHER)
    return figure


def save_small(figure: "Figure", path: Path) -> None:
    """As a PNG of 256 colours, a third of the size."""
    content = BytesIO()
    figure.savefig(content, dpi=110)
    Image.open(content).convert("RGB").quantize(256).save(path, optimize=True)


def _queries(samples: Samples) -> np.ndarray:
    """Positions of test samples, each of another class."""
    numbers, draw = samples.label_numbers(samples.classes()), np.random.default_rng(SEED)
    test = draw.permutation(samples.positions("test"))
    classes = np.sort(draw.permutation(len(samples.classes()))[:QUERIES])
    return np.array([test[numbers[test] == one][0] for one in classes])


def _nearest(latents: LatentsFile, queries: np.ndarray) -> np.ndarray:
    """Positions (queries, NEIGHBOURS) of the nearest train samples."""
    train = np.flatnonzero(latents.in_split("train"))
    _, rows = Index(latents.vectors[train]).nearest(latents.vectors[queries], NEIGHBOURS)
    return train[rows]


def _photo(axis: object, samples: Samples, row: int, colour: str) -> None:
    axis.axis("on")
    show(axis, samples.spec.as_input(samples.take(np.array([row])))[0])
    axis.spines[:].set(color=colour, linewidth=2)
