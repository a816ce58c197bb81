"""Sums and differences of latents (Radford et al. 2016, section 6.3.2)."""

from dataclasses import dataclass

import numpy as np

from ae_pipelines.downstream.nearest import Index
from ae_pipelines.generation import known
from ae_pipelines.generation.generator import CannotShow, EncodedSamples, Generator

SHOWN = 8
"""Samples that are changed if the options name none."""


@dataclass(frozen=True)
class Arithmetic:
    """Samples before and after, and the real ones nearest to the results; columns belong together."""

    said: str
    """The sum, in words."""
    before: np.ndarray
    """Decoded from the latents before the change, (n, *shape)."""
    after: np.ndarray
    """Decoded from the changed latents, (n, *shape)."""
    nearest: np.ndarray
    """The real samples whose latents are nearest to the result, (n, *shape)."""
    labels: list[str]
    """Labels of these; empty where unknown."""


def changed(to: np.ndarray, add: np.ndarray, subtract: np.ndarray) -> np.ndarray:
    """mean(add) - mean(subtract) + to, (n, d), for latents (any number, d) of each; the mean of none is zero."""
    result = to.copy()
    if len(add):
        result += add.mean(axis=0)
    if len(subtract):
        result -= subtract.mean(axis=0)
    return result


def arithmetic(generator: Generator) -> Arithmetic:
    """The sum that the options name; if none, test samples of one label are turned into another. `CannotShow` without
    an encoder, or if the options name none and there are no two labels."""
    encoded = generator.need_encoder()
    options = generator.options
    add, subtract, to = options.add, options.subtract, options.to
    if not to:
        add, subtract, to = _one_label_into_another(generator, encoded)
    rows = dict(zip((*add, *subtract, *to), generator.samples.rows_of((*add, *subtract, *to)), strict=True))
    before = np.concatenate([_latents(generator, encoded, name, rows[name], mean=True) for name in to])
    groups = [
        [_latents(generator, encoded, name, rows[name], mean=False) for name in names] for names in (add, subtract)
    ]
    sets = [np.concatenate(group) if group else before[:0] for group in groups]
    after = changed(before, *sets)
    near = Index(encoded.vectors).nearest(after, 1)[1][:, 0]
    return Arithmetic(
        _formula(add, subtract),
        generator.decode(before),
        generator.decode(after),
        generator.real(encoded.rows[near]),
        encoded.labels[near].tolist(),
    )


def _one_label_into_another(
    generator: Generator, encoded: EncodedSamples
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    named = encoded.labels[encoded.labels != ""]
    labels = generator.random().permutation(np.unique(named)).tolist()
    if len(labels) < 2:
        raise CannotShow("latent arithmetic needs ids: give generate.add, generate.subtract and generate.to")
    shown = encoded.rows[encoded.test & (encoded.labels == labels[1])][:SHOWN]
    return (labels[0],), (labels[1],), tuple(known.about(generator.samples, shown)["sample_id"]) or (labels[1],)


def _latents(generator: Generator, encoded: EncodedSamples, name: str, row: int, mean: bool) -> np.ndarray:
    """Latents (n, d) of a sample, in this row, or, where that is -1, of all encoded train samples with a label, or the
    mean of these."""
    if row >= 0:
        return generator.real_latents(np.array([row]))
    found = encoded.vectors[~encoded.test & (encoded.labels == name)]
    if not len(found):
        raise CannotShow(f"none of the {len(encoded.train_vectors):,} train samples looked at has the label {name}")
    return found.mean(axis=0, keepdims=True) if mean else found


def _formula(add: tuple[str, ...], subtract: tuple[str, ...]) -> str:
    plus, minus = (f" {sign} mean({', '.join(of[:4])}{', …' if of[4:] else ''})" if of else "" for sign, of in
                   (("+", add), ("−", subtract)))  # fmt: skip
    return f"z{plus}{minus}"
