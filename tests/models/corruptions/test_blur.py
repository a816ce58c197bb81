import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions.blur import Blur, blurred

IMAGES = torch.rand(4, 3, 9, 14, generator=torch.Generator().manual_seed(0))


def test_each_image_is_blurred_as_by_scipy():
    """Beyond the border there is nothing: zeros, made up for by the weights that are inside."""
    sigmas = [0.3, 0.8, 1.5, 4.0]
    out = blurred(IMAGES, torch.tensor(sigmas))
    for image, sigma, made in zip(IMAGES.double().numpy(), sigmas, out, strict=True):
        by = {"sigma": (0, sigma, sigma), "mode": "constant", "truncate": 20}
        expected = gaussian_filter(image, **by) / gaussian_filter(np.ones_like(image), **by)
        np.testing.assert_allclose(made, expected, atol=1e-6)


def test_half_of_the_images_stay_exactly_as_they_are():
    many = IMAGES[:1].expand(1000, -1, -1, -1)
    out = Blur(sigma=(0.5, 2.0), probability=0.5)(many, torch.Generator().manual_seed(0))
    same = (out == many).flatten(1).all(1)
    assert 450 < same.sum() < 550
    assert ((out - many).abs().amax((1, 2, 3)) > 0.05)[~same].all()


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(InputError, match=r"blur takes a sigma from small to large, given \[2, 1\]: turn it"):
        Blur(sigma=(2, 1))
