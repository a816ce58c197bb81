from math import log

import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions.crop import Crop, seen_through
from ae_pipelines.samples.spec import SampleSpec

IMAGES = torch.rand(4, 3, 9, 14, generator=torch.Generator().manual_seed(0))
WHOLE = {"scale": (1, 1), "ratio": (1, 1), "flip": 0}


def drawn(images=IMAGES, seed=0, **options):
    return Crop(**options)(images, torch.Generator().manual_seed(seed))


def assert_near(out, expected):
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_the_whole_of_an_image_is_the_image():
    assert_near(drawn(**WHOLE | {"flip": 1e-9}), IMAGES)


def test_a_flip_is_the_mirror_image():
    assert_near(drawn(**WHOLE | {"flip": 1}), IMAGES.flip(3))


def test_half_of_the_images_are_mirrored():
    many = IMAGES[:1].expand(1000, -1, -1, -1)
    mirrored = (drawn(many, **WHOLE | {"flip": 0.5}) - IMAGES[:1].flip(3)).abs().amax((1, 2, 3)) < 1e-5
    assert 450 < mirrored.sum() < 550


def test_a_rectangle_is_cut_out_and_enlarged():
    """The left upper quarter of an image, twice as large: what interpolate makes of the quarter."""
    even = IMAGES[:, :, :8]
    amounts = (torch.full((4,), value) for value in (-0.5, -0.5, 0.5, 0.5))
    large = F.interpolate(even[..., :4, :7], scale_factor=2.0, mode="bilinear")  # (4, 3, 8, 14)
    # along the inner edges ours sees the pixels beyond, interpolate repeats the last ones
    assert_near(seen_through(even, *amounts, (8, 14))[..., :-1, :-1], large[..., :-1, :-1])


def test_areas_and_ratios_lie_within_their_ranges():
    """An image of coordinates tells which part of it is seen."""
    steps = (torch.arange(64) + 0.5) / 64
    place = torch.stack(torch.meshgrid(steps, steps, indexing="ij"))
    seen = drawn(place.expand(2000, -1, -1, -1), scale=(0.2, 0.5), ratio=(0.5, 2), flip=0)
    high, across = (seen[:, 0, -1, 0] - seen[:, 0, 0, 0]) * 64 / 63, (seen[:, 1, 0, -1] - seen[:, 1, 0, 0]) * 64 / 63
    area, ratio = high * across, (across / high).log()
    assert area.min() > 0.18  # the border repeats, which takes a little of the smallest
    assert area.max() < 0.51
    assert abs(area.median() - 0.35) < 0.02
    assert ratio.abs().max() < log(2) + 0.03
    assert abs(ratio.mean()) < 0.03


def test_views_of_another_size_keep_the_proportion():
    clean = SampleSpec(shape=(3, 9, 14), dtype="uint8")
    for size, sides in ((9, (9, 14)), (6, (6, 9)), (18, (18, 28))):
        assert Crop(size=size).corrupted_spec(clean).shape == (3, *sides)
        assert drawn(size=size).shape[2:] == sides


@pytest.mark.parametrize("size", [6, 9, 18])
def test_clean_images_are_resized_as_a_whole(size):
    generator = torch.Generator()
    out = Crop(size=size).reshaped(IMAGES, generator)
    expected = F.interpolate(IMAGES, out.shape[2:], mode="bilinear", antialias=True)
    assert_near(out, expected)
    assert_near(drawn(**WHOLE | {"size": size}), expected)


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(InputError, match=r"crop takes a scale from small to large, given \[1, 0.2\]: turn it"):
        Crop(scale=(1, 0.2))
