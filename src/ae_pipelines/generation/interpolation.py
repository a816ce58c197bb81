"""Samples on the way from one to another."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.generation import known
from ae_pipelines.generation.generator import Generator

STEPS = 9
"""Samples of the strip."""
FRAMES = 16
"""Frames of the moving picture on the way there; the way back has as many."""


def linear(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points of the straight line from `start` to `end` (d,), (len(shares), d)."""
    return start + shares[:, None] * (end - start)


def spherical(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points of the arc about the origin, (len(shares), d): norms stay the same where both ends have the same
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
    """The two samples, or draws, that are interpolated between."""

    latents: np.ndarray
    """(2, d)"""
    names: tuple[str, str]
    """What they are, in words."""
    pictures: np.ndarray | None
    """The real samples, (2, *shape); None for draws."""


@dataclass(frozen=True)
class Interpolation:
    """Samples on the way."""

    ends: Ends
    rows: dict[str, np.ndarray]
    """Samples of the strip by path, (STEPS, *shape)."""
    frames: np.ndarray
    """(2 x FRAMES, *shape): there and back, by the path of the options."""


def interpolation(generator: Generator) -> Interpolation:
    """Samples between the ends that the options name, by both paths."""
    ends = _ends(generator)
    start, end = ends.latents
    way = {name: path(start, end, np.linspace(0, 1, STEPS, dtype=np.float32)) for name, path in PATHS.items()}
    fine = PATHS[generator.options.path](start, end, np.linspace(0, 1, FRAMES, dtype=np.float32))
    there = generator.decode(fine)
    rows = {name: generator.decode(latents) for name, latents in way.items()}
    return Interpolation(ends, rows, np.concatenate([there, there[::-1]]))


def _ends(generator: Generator) -> Ends:
    if generator.encoded is None:
        of_class = f" of class {generator.default_class}" if generator.default_class else ""
        return Ends(generator.draw(2)[0], (f"a draw{of_class}", f"another draw{of_class}"), None)
    samples, between = generator.samples, generator.options.between
    rows = samples.rows_of(between) if between else _random_pair(generator)
    found = known.about(samples, rows)
    first, second = (
        f"{name} ({label})" if label else str(name)
        for name, label in zip(found["sample_id"], found["label"], strict=True)
    )
    return Ends(generator.real_latents(rows), (first, second), generator.real(rows))


def _random_pair(generator: Generator) -> np.ndarray:
    """Positions of two test samples, with different labels if possible."""
    encoded = generator.need_encoder()
    test = np.flatnonzero(encoded.test)
    first, *others = generator.random().permutation(test)
    labels = encoded.labels
    second = next((other for other in others if labels[other] != labels[first]), others[0] if others else first)
    return encoded.rows[[first, second]]
