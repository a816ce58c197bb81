"""PCA as an encoder: what the autoencoder has to beat to be worth its training."""

from collections.abc import Iterator
from math import prod

import numpy as np

from ae_pipelines.latents import LatentBlock, LatentStream
from ae_pipelines.samples import Samples

ROWS_PER_PASS = 8192
FIT_BYTES = 256 * 2**20
"""Rows beyond this much memory are left out of the fit, at random."""


def pca_stream(samples: Samples, components: int, seed: int = 0) -> LatentStream:
    """Latents by PCA fitted on the train split, with as many components as the autoencoder's latent size
    (fewer where samples have fewer features), in the same form as the autoencoder's."""
    metadata = {"encoder": "pca", "samples_id": samples.id}
    return LatentStream(samples.index, _blocks(samples, components, seed), metadata)


def _blocks(samples: Samples, components: int, seed: int) -> Iterator[LatentBlock]:
    from sklearn.decomposition import PCA

    features = prod(samples.spec.shape)
    train = _train_rows(samples, features, seed)
    solver = "covariance_eigh" if features <= 4096 else "randomized"
    pca = PCA(min(components, *train.shape), svd_solver=solver, random_state=seed).fit(train)
    for values in samples.blocks(ROWS_PER_PASS):
        x = _inputs(values, samples.spec.scale)
        z = pca.transform(x)
        error = np.square(pca.inverse_transform(z) - x).mean(axis=1)
        yield LatentBlock(z.astype(np.float32), error.astype(np.float32))


def _train_rows(samples: Samples, features: int, seed: int) -> np.ndarray:
    rows = samples.rows("train")
    fitting = max(1, FIT_BYTES // (4 * features))
    if len(rows) > fitting:
        rows = np.sort(np.random.default_rng(seed).choice(rows, fitting, replace=False))
    chosen = np.zeros(len(samples), bool)
    chosen[rows] = True
    train = np.empty((len(rows), features), np.float32)
    start = filled = 0
    for values in samples.blocks(ROWS_PER_PASS):
        part = _inputs(values[chosen[start : start + len(values)]], samples.spec.scale)
        train[filled : filled + len(part)] = part
        start, filled = start + len(values), filled + len(part)
    return train


def _inputs(values: np.ndarray, scale: float) -> np.ndarray:
    return values.reshape(len(values), prod(values.shape[1:])).astype(np.float32) * np.float32(scale)
