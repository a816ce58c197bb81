"""Directions of features, from moments that are summed batch by batch."""

import numpy as np
import torch

from ae_pipelines.models.directions import invariant, pca
from ae_pipelines.models.moments import Moments


def test_moments_are_those_of_all_vectors_together():
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moments = Moments(3)
    for part in x.split(7):
        moments.add(part)
    np.testing.assert_allclose(moments.covariance, np.cov(x.numpy().T, bias=True), atol=1e-12)
    np.testing.assert_allclose(moments.mean, x.mean(0))


def moments_of(vectors):
    moments = Moments(vectors.shape[1])
    moments.add(vectors)
    return moments


def test_invariant_directions_vary_between_samples_and_not_between_views():
    generator = torch.Generator().manual_seed(0)
    shared, own = torch.randn(2, 4000, 3, generator=generator, dtype=torch.float64)
    total = moments_of(shared * torch.tensor([2.0, 1.0, 5.0]))
    between = moments_of(own * torch.tensor([0.1, 0.1, 5.0]))
    largest = torch.eye(3, dtype=torch.float64)[[2]].T
    assert torch.cosine_similarity(pca(total, 1), largest, dim=0).abs() > 0.99
    found = invariant(total, between, 2)
    assert found[2].abs().max() < 0.1 * found[:2].abs().max(), "the third varies most, but between views too"
    ratio = found[:, 0] @ total.covariance @ found[:, 0]
    assert ratio.sqrt() > 1.5 * (found[:, 1] @ total.covariance @ found[:, 1]).sqrt(), "what views agree in counts most"
