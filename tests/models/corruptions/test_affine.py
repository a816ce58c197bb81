from math import pi

import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions.affine import Affine, moved
from ae_pipelines.samples.spec import SampleSpec

IMAGES = torch.rand(3, 2, 9, 14, generator=torch.Generator().manual_seed(0))
STILL = {"right": 0.0, "down": 0.0, "angle": 0.0, "scale": 1.0, "shear": 0.0}
SPEC = SampleSpec(shape=(2, 9, 14), dtype="uint8")


def by(images=IMAGES, outside="zero", **amounts):
    amounts = {name: torch.full((len(images),), value) for name, value in (STILL | amounts).items()}
    return moved(images, **amounts, outside=outside)


def drawn(images, **options):
    """The images as this corruption moves them, with all other ranges zero."""
    zero = {"shift": 0, "rotation": 0, "scaling": 0, "shear": 0}
    return Affine(**(zero | options))(images, torch.Generator().manual_seed(0))


def assert_near(out, expected):
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_moving_by_nothing_gives_the_image():
    assert_near(by(), IMAGES)
    assert torch.equal(drawn(IMAGES), IMAGES)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, 3), (-4, 1)])
def test_a_shift_by_whole_pixels_rolls_the_image_with_zeros_around_it(right, down):
    rolled = F.pad(IMAGES, (5, 5, 5, 5)).roll((down, right), (2, 3))[..., 5:-5, 5:-5]
    assert_near(by(right=float(right), down=float(down)), rolled)


def test_a_shift_beyond_the_image_leaves_zeros_or_its_border():
    assert by(right=14.0).abs().max() < 1e-5
    assert_near(by(right=14.0, outside="border"), IMAGES[..., :1].expand_as(IMAGES))


def test_a_shift_may_be_a_share_of_the_image():
    pixels = drawn(IMAGES[..., :9], shift=0.25 * 9)
    assert_near(drawn(IMAGES[..., :9], shift=0.25, shift_unit="share"), pixels)
    with pytest.raises(InputError, match="affine takes a share of the image as shift, given 2.0: give at most 1"):
        Affine(shift_unit="share")


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_those_of_rot90(turns):
    square = IMAGES[..., :9]
    assert_near(by(square, angle=turns * pi / 2), square.rot90(turns, (2, 3)))


def test_half_a_turn_needs_no_square():
    assert_near(by(angle=pi), IMAGES.flip(2, 3))


def test_a_scale_of_two_about_the_middle_is_an_enlarged_middle():
    even = IMAGES[:, :, :8]
    large = F.interpolate(even, scale_factor=2.0, mode="bilinear")  # (3, 2, 16, 28)
    assert_near(by(even, scale=2.0), large[..., 4:-4, 7:-7])


def test_a_shear_of_one_shifts_each_row_by_its_distance_from_the_middle():
    sheared = by(shear=1.0)
    for row in range(9):
        assert_near(sheared[:, :, row], by(right=float(row - 4))[:, :, row])


def test_the_shift_comes_after_the_turn():
    square = IMAGES[..., :9]
    assert_near(by(square, angle=pi / 2, right=2.0, down=1.0), by(by(square, angle=pi / 2), right=2.0, down=1.0))


def test_amounts_are_drawn_over_the_whole_of_either_side_of_zero():
    ramp = torch.arange(21.0).expand(5000, 1, 21, 21).contiguous()  # values say where a pixel came from
    right = 10 - drawn(ramp, shift=3)[:, 0, 10, 10]
    down = 10 - drawn(ramp.mT.contiguous(), shift=3)[:, 0, 10, 10]
    for amount in (right, down):
        assert (amount.min(), amount.max()) == (pytest.approx(-3, abs=0.01), pytest.approx(3, abs=0.01))
        assert amount.mean() == pytest.approx(0, abs=0.1)
    assert abs(torch.corrcoef(torch.stack([right, down]))[0, 1]) < 0.05
    slope = drawn(ramp, scaling=0.5)[:, 0, 10, 11] - 10  # one over the scale
    assert (1 / slope).min() == pytest.approx(0.5, abs=0.01)
    assert (1 / slope).max() == pytest.approx(1.5, abs=0.01)
    angle = torch.rad2deg(torch.asin(drawn(ramp.mT.contiguous(), rotation=60)[:, 0, 10, 11] - 10))
    assert (angle.min(), angle.max()) == (pytest.approx(-60, abs=0.2), pytest.approx(60, abs=0.2))
    shear = 10 - drawn(ramp, shear=0.4)[:, 0, 11, 10]
    assert (shear.min(), shear.max()) == (pytest.approx(-0.4, abs=0.01), pytest.approx(0.4, abs=0.01))


def test_all_channels_of_an_image_move_together():
    out = drawn(IMAGES[:, :1].repeat(1, 3, 1, 1), shift=3, rotation=40, scaling=0.3, shear=0.3)
    assert_near(out[:, 0], out[:, 2])


def test_shapes_stay_and_vectors_are_refused():
    assert Affine().corrupted_spec(SPEC) == SPEC
    with pytest.raises(InputError, match=r"affine takes images .*given samples of shape \(13,\)"):
        Affine().corrupted_spec(SampleSpec(shape=(13,), dtype="float32"))
