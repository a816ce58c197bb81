"""Where new latents come from."""

import numpy as np
import pytest

from ae_pipelines.generation import prior
from ae_pipelines.generation.prior import Mixture, StandardNormal

MEANS = np.array([[-6.0, 0.0], [6.0, 1.0], [0.0, 8.0]])
SHARES = np.array([0.5, 0.3, 0.2])


def clouds(count: int = 3000) -> np.ndarray:
    """Three normal clouds of unequal weight and width."""
    random = np.random.default_rng(0)
    parts = random.choice(3, count, p=SHARES)
    return (MEANS[parts] + random.standard_normal((count, 2)) * [0.5, 1.0]).astype(np.float32)


def test_the_mixture_gives_means_weights_and_covariances_back():
    drawn = Mixture(SHARES, MEANS, np.array([[[0.25, 0.1], [0.1, 1.0]]] * 3)).draw(30_000, np.random.default_rng(1))
    nearest = np.linalg.norm(drawn[:, None] - MEANS, axis=-1).argmin(axis=1)
    for part, mean in enumerate(MEANS):
        mine = drawn[nearest == part]
        np.testing.assert_allclose(mine.mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(np.cov(mine, rowvar=False), [[0.25, 0.1], [0.1, 1.0]], atol=0.05)
    np.testing.assert_allclose(np.bincount(nearest) / len(drawn), SHARES, atol=0.01)


def test_a_fitted_mixture_draws_what_it_was_fitted_on():
    found = prior.fitted(clouds(), seed=0)
    assert 2 < len(found.weights) <= 5
    drawn = found.draw(5000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), clouds().mean(axis=0), atol=0.3)
    assert (np.linalg.norm(drawn[:, None] - MEANS, axis=-1).min(axis=1) < 4).mean() > 0.99


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_latents_of_any_size_have_the_same_mixture(scale):
    assert len(prior.fitted(clouds() * np.float32(scale), 0).weights) == len(prior.fitted(clouds(), 0).weights)


def test_one_cloud_needs_one_normal_distribution():
    vectors = np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32)
    assert len(prior.fitted(vectors, 0).weights) == 1


def test_draws_of_the_standard_normal_have_mean_zero_and_variance_one():
    drawn = StandardNormal(4).draw(20_000, np.random.default_rng(0))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn, rowvar=False), np.eye(4), atol=0.03)
