"""From one sample to another."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ae_pipelines.generation.generator import Generator

STEPS = 9
"""Of the strip."""
FRAMES = 16
"""Of the moving picture, on the way there; the way back has as many."""


def linear(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points of the straight line from `start` to `end` (d,), (len(shares), d)."""
    return start + shares[:, None] * (end - start)


def spherical(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points of the arc about the origin, (len(shares), d): norms stay what they are where both ends have the same
    (Shoemake 1985, section 3.3; White 2016). The straight line where there is no angle between them."""
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    cosine = float(np.clip(start @ end / lengths, -1, 1)) if lengths else 1.0
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-4:
        return linear(start, end, shares)
    weights = np.sin(np.stack([1 - shares, shares]) * angle) / np.sin(angle)
    return (weights[0][:, None] * start + weights[1][:, None] * end).astype(start.dtype)


PATHS = {"linear": linear, "spherical": spherical}


@dataclass(frozen=True)
class Ends:
    """What is interpolated between."""

    latents: np.ndarray
    """(2, d)"""
    names: tuple[str, str]
    """What they are, in words."""
    pictures: np.ndarray | None
    """The real samples, (2, *shape); None of draws."""


@dataclass(frozen=True)
class Interpolation:
    """Samples on the way."""

    ends: Ends
    rows: dict[str, np.ndarray]
    """By path: (STEPS, *shape)."""
    frames: np.ndarray
    """(2 x FRAMES, *shape): there and back, by the path that is asked for."""


def interpolation(generator: Generator) -> Interpolation:
    """Between the samples that are asked for, by both paths."""
    ends = _ends(generator)
    start, end = ends.latents
    way = {name: path(start, end, np.linspace(0, 1, STEPS, dtype=np.float32)) for name, path in PATHS.items()}
    fine = PATHS[generator.options.path](start, end, np.linspace(0, 1, FRAMES, dtype=np.float32))
    there = generator.decode(fine)
    rows = {name: generator.decode(latents) for name, latents in way.items()}
    return Interpolation(ends, rows, np.concatenate([there, there[::-1]]))


def _ends(generator: Generator) -> Ends:
    if generator.encoded is None:
        told = f" of class {generator.told}" if generator.told else ""
        return Ends(generator.draw(2)[0], (f"a draw{told}", f"another draw{told}"), None)
    ids, labels = generator.ids, generator.samples.index["label"].fillna("").to_numpy(dtype=str)
    rows = (
        ids.get_indexer(pd.Index(generator.options.between)) if generator.options.between else _random_pair(generator)
    )
    first, second = (
        f"{ids[row]} ({label})" if label else str(ids[row]) for row, label in zip(rows, labels[rows], strict=True)
    )
    return Ends(generator.real_latents(rows), (first, second), generator.real(rows))


def _random_pair(generator: Generator) -> np.ndarray:
    """Positions of two test samples, of different labels if there are such."""
    encoded = generator.need_encoder()
    test = np.flatnonzero(encoded.test)
    first, *others = generator.random().permutation(test)
    labels = encoded.labels
    second = next((other for other in others if labels[other] != labels[first]), others[0] if others else first)
    return encoded.rows[[first, second]]
