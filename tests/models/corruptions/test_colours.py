from math import pi

import pytest
import torch

from ae_pipelines.models.corruptions.colours import Colours, recoloured

IMAGES = torch.rand(4, 3, 9, 14, generator=torch.Generator().manual_seed(0))
SAME = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}


def by(images=IMAGES, **amounts):
    return recoloured(images, **{name: torch.full((len(images),), value) for name, value in (SAME | amounts).items()})


def drawn(images=IMAGES, **options):
    return Colours(**options)(images, torch.Generator().manual_seed(0))


def assert_near(out, expected):
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def luma(images):
    red, green, blue = images.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def test_nothing_changes_nothing():
    assert_near(by(), IMAGES)


def test_brightness_contrast_and_saturation_are_those_of_torchvision():
    """`adjust_brightness`, then `adjust_contrast`, then `adjust_saturation`, without their clipping."""
    bright = 1.3 * IMAGES
    flatter = 0.7 * bright + 0.3 * luma(bright).mean((2, 3), keepdim=True)
    assert_near(by(brightness=1.3, contrast=0.7), flatter)
    assert_near(by(brightness=1.3, contrast=0.7, saturation=1.4), 1.4 * flatter - 0.4 * luma(flatter))


def test_no_saturation_is_grey():
    assert_near(by(saturation=0.0, hue=1.0), luma(by(hue=1.0)).expand(-1, 3, -1, -1))


def test_a_third_of_a_turn_makes_red_green_green_blue_and_blue_red():
    assert_near(by(hue=2 * pi / 3), IMAGES.roll(1, 1))


@pytest.mark.parametrize("angle", [0.3, -1.0, pi])
def test_a_turn_leaves_grey_and_distances_as_they_are(angle):
    grey = IMAGES[:, :1].expand(-1, 3, -1, -1)
    assert_near(by(grey, hue=angle), grey)
    assert_near(by(hue=angle).norm(dim=1), IMAGES.norm(dim=1))
    assert_near(by(by(hue=angle), hue=-angle), IMAGES)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels_change_brightness_and_contrast_alone(channels):
    images = IMAGES.reshape(-1, 1, 9, 14)[: 2 * channels].reshape(2, channels, 9, 14)
    bright = 1.3 * images
    flatter = 0.7 * bright + 0.3 * bright.mean((1, 2, 3), keepdim=True)
    assert_near(by(images, brightness=1.3, contrast=0.7, saturation=0.0, hue=1.0), flatter)


def test_each_happens_as_often_as_it_says():
    many = IMAGES[:1].expand(1000, -1, -1, -1)
    changed = (drawn(many, probability=0.8, grey=0) - many).abs().amax((1, 2, 3)) > 1e-3
    assert 760 < changed.sum() < 840
    grey = drawn(many, probability=0, grey=0.2)
    assert 160 < (grey.std(1).amax((1, 2)) < 1e-3).sum() < 240


def test_amounts_fill_their_ranges():
    """The brightness of a grey image is its mean."""
    many = torch.full((2000, 3, 2, 2), 0.5)
    factors = drawn(many, brightness=0.4, contrast=0, saturation=0, hue=0, probability=1, grey=0)[:, 0, 0, 0] * 2
    assert 0.6 <= factors.min() < 0.61
    assert 1.39 < factors.max() <= 1.4
    assert abs(factors.mean() - 1) < 0.02
