import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.contract import SampleSpec
from ae_pipelines.corruptions.downscale import Downscale


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_where_the_factor_divides_the_sides_it_is_average_pooling(factor):
    target = torch.rand(4, 3, 12, 18)
    torch.testing.assert_close(Downscale(factor=factor)(target, None), F.avg_pool2d(target, factor))


@pytest.mark.parametrize(("factor", "expected"), [(2, (3, 5, 4)), (4, (3, 3, 2)), (100, (3, 1, 1))])
def test_other_sides_are_rounded_up(factor, expected):
    assert Downscale(factor=factor).corrupted_spec(SampleSpec(shape=(3, 9, 7), dtype="uint8")).shape == expected
    assert Downscale(factor=factor)(torch.rand(2, 3, 9, 7), None).shape[1:] == expected


def test_an_even_image_stays_as_it_is():
    torch.testing.assert_close(Downscale(factor=2)(torch.full((1, 1, 9, 7), 0.3), None), torch.full((1, 1, 5, 4), 0.3))
