import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from ae_pipelines.models.corruptions.downscale import Downscale
from ae_pipelines.samples.spec import SampleSpec


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_where_the_factor_divides_the_sides_it_is_average_pooling(factor):
    target = torch.rand(4, 3, 12, 18)
    torch.testing.assert_close(Downscale(factor=factor)(target, None), F.avg_pool2d(target, factor))


@pytest.mark.parametrize("kernel", ["area", "bicubic"])
@pytest.mark.parametrize(("factor", "expected"), [(2, (3, 5, 4)), (4, (3, 3, 2)), (100, (3, 1, 1))])
def test_other_sides_are_rounded_up(factor, expected, kernel):
    downscale = Downscale(factor=factor, kernel=kernel)
    assert downscale.corrupted_spec(SampleSpec(shape=(3, 9, 7), dtype="uint8")).shape == expected
    assert downscale(torch.rand(2, 3, 9, 7), None).shape[1:] == expected


@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_an_even_image_stays_as_it_is(kernel):
    even = torch.full((1, 1, 9, 7), 0.3)
    torch.testing.assert_close(Downscale(factor=2, kernel=kernel)(even, None), torch.full((1, 1, 5, 4), 0.3))


def test_bicubic_is_what_pillow_does():
    pixels = np.random.default_rng(0).random((24, 32), np.float32)
    expected = np.asarray(Image.fromarray(pixels).resize((16, 12), Image.Resampling.BICUBIC)).clip(0, 1)
    made = Downscale(kernel="bicubic")(torch.from_numpy(pixels)[None, None], None)
    np.testing.assert_allclose(made[0, 0], expected, atol=1e-5)
