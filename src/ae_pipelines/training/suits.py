"""What samples look like, and which recipe suits them. Cheap to import; the only place that knows this."""

from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np

from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

AUTO = "auto"
"""Instead of a recipe's name: the one that suits the samples."""

Kind = Literal["glyphs", "photos", "table", "series", "vectors"]
RECIPES: dict[Kind, str] = {
    "glyphs": "probe",
    "photos": "views",
    "table": "dense",
    "series": "dense",
    "vectors": "dense",
}
MOST_LATENTS: dict[Kind, int] = {"table": 8, "series": 32, "vectors": 32}
"""Latents of samples without pixels; fewer, where these have fewer than twice as many features."""
FOR_UNBOUNDED = "conv"
"""Recipe for photos that are numbers without bounds: those of `RECIPES` change colours, which takes bounds."""
FOR_PIXELS, FOR_CONTENT = "recipe=conv", f"recipe={RECIPES['photos']}"
"""Recipes for photos, by what the latents are for."""

LARGEST_DRAWING = 28
"""Height and width up to which grey images go through any net, whatever they show."""
LOOKED_AT, MOST_VALUES = 256, 2**24
"""Most samples that are looked at, spread over the store, and most values in them: fewer of large images."""
PLAIN_GROUND = 0.3
"""Images are glyphs where this share of the pixels of most of them is as their border is: MNIST 0.81,
scikit-learn's digits 0.50, its photos 0.05, CIFAR-10 below that."""
LIKE_THE_BORDER = 0.01
"""How far a pixel may be from the border's median, as a share of the range of values; skies differ by more."""
NEIGHBOURS_ALIKE = 0.7
"""Mean correlation of neighbouring features from which on they follow each other in time."""
SHORTEST = 16
"""Features that a series has at least."""
FEW = 1000
"""Samples below which recipes, which are made for thousands, get smaller batches and fewer of them."""


@dataclass(frozen=True)
class Suits:
    """What samples look like, and what suits them."""

    kind: Kind
    seen: str
    """For people: photos, 50,000 of 32 x 32 in colour, 10 classes (all labelled)."""
    recipe: str
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of the recipe that these samples want otherwise, nested."""

    def __str__(self) -> str:
        typed = ",".join([f"recipe={self.recipe}", *_typed("recipe", self.changes)])
        return f"{self.seen}: {typed} suits them"


def suiting(samples: Samples) -> Suits:
    """What suits these samples."""
    features = prod(samples.spec.shape)
    most = min(LOOKED_AT, max(1, MOST_VALUES // features))
    rows = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).astype(np.int64))
    kind = looks_like(samples.spec, samples.take(rows))
    recipe = FOR_UNBOUNDED if kind == "photos" and not samples.spec.bounded else RECIPES[kind]
    changes: dict[str, Any] = {}
    if kind in MOST_LATENTS:
        changes["model"] = {"latent_size": max(1, min(MOST_LATENTS[kind], features // 2))}
    if len(samples) < FEW:
        changes |= {"loader": {"batch_size": max(2, min(32, len(samples) // 4))}, "training": {"steps": 1000}}
    seen = f"{_described(kind, samples)}, {_labels(samples)}"
    return Suits(kind, seen, recipe, changes)


def looks_like(spec: SampleSpec, values: np.ndarray) -> Kind:
    """What some samples (n, *shape) look like."""
    if len(spec.shape) == 3:
        return "glyphs" if plain_ground(values) >= PLAIN_GROUND else "photos"
    if "treatments" in spec.preprocessing:
        return "table"
    return "series" if follow_each_other(values) else "vectors"


def plain_ground(images: np.ndarray) -> float:
    """The share of pixels of images (n, channels, height, width) that are as the image's border is, in all channels;
    the median over images. It is high where one thing is shown on a plain ground, and low in photos."""
    x = images.astype(np.float32)
    edges = [x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1]]
    border = np.median(np.concatenate(edges, axis=-1), axis=-1)[..., None, None]  # (n, channels, 1, 1)
    near = np.abs(x - border) <= LIKE_THE_BORDER * (x.max() - x.min())
    return float(np.median(near.all(axis=1).mean(axis=(1, 2))))


def follow_each_other(values: np.ndarray) -> bool:
    """Whether samples (n, ..., features) are series: each feature is like the one before it, over samples."""
    x = values.reshape(-1, values.shape[-1]).astype(np.float64)
    x = x[:, x.std(axis=0) > 0]
    if len(x) < 3 or x.shape[1] < SHORTEST:
        return False
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return float((z[:, 1:] * z[:, :-1]).mean()) >= NEIGHBOURS_ALIKE


def _described(kind: Kind, samples: Samples) -> str:
    shape, count = samples.spec.shape, len(samples)
    if kind in ("glyphs", "photos"):
        channels, height, width = shape
        colour = {1: " in grey", 3: " in colour"}.get(channels, f" with {channels} channels")
        return f"{kind}, {count:,} of {height} x {width}{colour}"
    if kind == "table":
        columns = len({one["column"] for one in samples.spec.preprocessing["treatments"]})
        return f"a table, {count:,} rows of {columns} columns ({prod(shape)} features)"
    if kind == "series":
        return f"series, {count:,} of {' x '.join(map(str, shape))} values"
    return f"vectors, {count:,} of {prod(shape)} numbers"


def _labels(samples: Samples) -> str:
    counts = samples.label_counts()
    labelled, classes = int(counts.sum()), counts.index.get_level_values("label").nunique()
    if not labelled:
        return "no labels"
    of_all = "all" if labelled == len(samples) else f"{labelled:,}"
    return f"{classes} class{'' if classes == 1 else 'es'} ({of_all} labelled)"


def _typed(name: str, changes: dict[str, Any]) -> list[str]:
    """Changes as they are typed."""
    found = []
    for key, value in changes.items():
        found += _typed(f"{name}.{key}", value) if isinstance(value, dict) else [f"{name}.{key}={value}"]
    return found
