"""PCA as an encoder: what the autoencoder has to beat to be worth its training."""

import json
import logging
from collections.abc import Callable, Iterator
from itertools import chain
from math import prod

import numpy as np

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.latents.stream import LatentBlock, LatentStream
from ae_pipelines.samples.spec import LearnedFrom, SampleSpec
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

ROWS_PER_PASS = 4096
FIT_ROWS = 200_000
"""Most train rows that the fit looks at, picked at random."""
COVARIANCE_FEATURES = 4096
"""Up to this many features, components come from the covariance matrix, which is summed block by block; above, from a
randomised solver on as many rows as fit into `FIT_BYTES`."""
FIT_BYTES = 128 * 2**20
ALL = LearnedFrom()


def pca_stream(
    samples: Samples,
    components: int,
    learned_from: LearnedFrom = ALL,
    seed: int = 0,
) -> LatentStream:
    """Latents by PCA fitted on the samples that the autoencoder learned from, with as many components as its latent
    size (fewer where samples have fewer features, or the fit fewer rows), in the same form, with the same errors."""
    about = {"encoder": "pca", "samples_id": samples.id, "components": components, "seed": seed}
    about |= {"normal_labels": json.dumps(learned_from.normal_labels)}
    metadata = {name: str(value) for name, value in about.items()} | {"encoder_sha256": canonical_sha256(about)}
    return LatentStream(samples.identities(learned_from), _blocks(samples, components, learned_from, seed), metadata)


def pca_vectors(
    samples: Samples, components: int, learned_from: LearnedFrom, seed: int
) -> Callable[[], Iterator[np.ndarray]]:
    """What gives the vectors (rows, d), float32, of such latents of all samples, in pieces, whenever it is called."""
    mean, directions = _fit(samples, components, learned_from, seed)

    def vectors() -> Iterator[np.ndarray]:
        for values in samples.blocks(ROWS_PER_PASS):
            yield ((_inputs(values, samples.spec) - mean) @ directions).astype(np.float32)

    return vectors


def residuals(samples: Samples, rows: np.ndarray, components: int, learned_from: LearnedFrom = ALL) -> np.ndarray:
    """What a reconstruction by PCA gets wrong about the samples at these positions, (len(rows), *shape)."""
    mean, directions = _fit(samples, components, learned_from, seed=0)
    values = samples.take(rows)
    x = _inputs(values, samples.spec)
    return ((x - mean) @ directions @ directions.T + mean - x).reshape(values.shape)


def _blocks(samples: Samples, components: int, learned_from: LearnedFrom, seed: int) -> Iterator[LatentBlock]:
    mean, directions = _fit(samples, components, learned_from, seed)
    for values in samples.blocks(ROWS_PER_PASS):
        x = _inputs(values, samples.spec)
        z = (x - mean) @ directions
        residual = z @ directions.T + mean - x
        blurred = _blurred_error(residual.reshape(values.shape), x) if values.ndim == 4 else None
        yield LatentBlock(z, np.square(residual).mean(axis=1), blurred)


def _blurred_error(residual: np.ndarray, x: np.ndarray) -> np.ndarray:
    """‖box₃ₓ₃(x̂ - x)‖² / ‖x‖², (batch,), as the autoencoder's; residual (batch, channels, height, width)."""
    from scipy.ndimage import uniform_filter

    box = uniform_filter(residual, size=(1, 1, 3, 3), mode="constant").reshape(len(x), -1)
    return np.square(box).sum(axis=1) / np.maximum(np.square(x).sum(axis=1), np.finfo(np.float32).tiny)


def _fit(samples: Samples, components: int, learned_from: LearnedFrom, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean (features,) and the directions of largest variance (features, components) of samples learned from."""
    features = prod(samples.spec.shape)
    small = features <= COVARIANCE_FEATURES
    rows = np.flatnonzero(samples.seen(learned_from))
    most = FIT_ROWS if small else max(1, FIT_BYTES // (4 * features))
    if len(rows) > most:
        log.warning("the PCA control is fitted on %d of %d train rows", most, len(rows))
        rows = np.random.default_rng(seed).choice(rows, most, replace=False)
    components = min(components, features, len(rows))
    if small:
        return by_covariance(_inputs_at(samples, rows), components)
    from sklearn.decomposition import PCA

    train = np.concatenate(list(_inputs_at(samples, rows)))
    pca = PCA(components, svd_solver="randomized", random_state=seed, copy=False).fit(train)
    return pca.mean_, pca.components_.T


def by_covariance(blocks: Iterator[np.ndarray], components: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean (features,) and the directions of largest variance (features, components) of float32 blocks (rows,
    features); all directions, if features are fewer. A direction's largest entry is positive."""
    from scipy.linalg import eigh

    first = next(blocks)
    features = first.shape[1]
    components = min(components, features)
    count, total, products = 0, np.zeros(features), np.zeros((features, features))
    offset = np.zeros(features, np.float32)  # a mean far above the deviation would cost the products digits
    for x in chain([first], blocks):
        offset = x.mean(axis=0) if not count and len(x) else offset
        x = x - offset
        count += len(x)
        total += x.sum(axis=0, dtype=np.float64)
        products += x.T @ x
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    _, directions = eigh(covariance, subset_by_index=(features - components, features - 1))
    directions = directions[:, ::-1]  # the largest variance first
    directions *= np.where(directions[np.abs(directions).argmax(axis=0), range(components)] < 0, -1, 1)
    return (mean + offset).astype(np.float32), directions.astype(np.float32)


def _inputs_at(samples: Samples, rows: np.ndarray) -> Iterator[np.ndarray]:
    chosen = np.zeros(len(samples), bool)
    chosen[rows] = True
    start = 0
    for values in samples.blocks(ROWS_PER_PASS):
        yield _inputs(values[chosen[start : start + len(values)]], samples.spec)
        start += len(values)


def _inputs(values: np.ndarray, spec: SampleSpec) -> np.ndarray:
    return spec.as_input(values.reshape(len(values), prod(values.shape[1:])))
