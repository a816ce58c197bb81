"""What each latent changes in a sample."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.generation.generator import Generator

STEPS = 9
SHOWN = 12
"""Latents that are shown: those that change a sample most."""
OUTERMOST = 0.01
"""A latent goes from this quantile to one minus it."""


@dataclass(frozen=True)
class Traversal:
    """A sample with one latent at a time moved from low to high; the one that changes it most comes first."""

    latents: np.ndarray
    """Numbers of the moved latents, (n,)."""
    pictures: np.ndarray
    """(n, STEPS, *shape)"""
    changes: np.ndarray
    """How far apart the ends of each latent are: root mean square over features, (d,), descending."""


def traversal(generator: Generator) -> Traversal:
    """The traversal of a random test sample; without an encoder, of a draw."""
    start = _start(generator)
    values = generator.quantiles(np.linspace(OUTERMOST, 1 - OUTERMOST, STEPS))
    changes = np.array([_change(generator, start, latent, values[[0, -1], latent]) for latent in range(generator.size)])
    order = np.argsort(-changes, kind="stable")
    pictures = [generator.decode(_with(start, latent, values[:, latent])) for latent in order[:SHOWN]]
    return Traversal(order[:SHOWN], np.stack(pictures), changes[order])


def _start(generator: Generator) -> np.ndarray:
    if generator.encoded is None:
        return generator.draw(1)[0][0]
    test = np.flatnonzero(generator.encoded.test)
    return generator.encoded.vectors[generator.random().permutation(test)[0]]


def _change(generator: Generator, start: np.ndarray, latent: int, ends: np.ndarray) -> float:
    low, high = generator.decode(_with(start, latent, ends))
    return float(np.sqrt(np.square(high - low).mean()))


def _with(start: np.ndarray, latent: int, values: np.ndarray) -> np.ndarray:
    """`start` (d,) with these values of one latent, (len(values), d)."""
    z = np.repeat(start[None], len(values), axis=0)
    z[:, latent] = values
    return z
