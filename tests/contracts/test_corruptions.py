"""What every registered corruption must do."""

import re

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, CorruptionChoice, corrupted_spec, one_after_another
from ae_pipelines.samples.spec import SampleSpec

NOTHING = {
    "gaussian_noise": {"noise_level": 0},
    "salt_and_pepper": {"share": 0},
    "masking": {"share": 0},
    "affine": {"shift": 0, "rotation": 0, "scaling": 0, "shear": 0},
    "patches": {"count": 0},
    "downscale": {"factor": 1},
    "watermark": {"opacity": [0, 0]},
}
"""Options with which a corruption does nothing."""
ALWAYS_SOMETHING = {"greyscale"}
WITHOUT_CHANCE = {"downscale", "greyscale"}
IMAGES_ONLY = {"affine", "patches", "downscale", "watermark", "greyscale"}
MAY_LEAVE_BOUNDS = {"gaussian_noise"}
SHAPES = [(1, 9, 7), (3, 9, 7), (4, 9, 7), (3, 8, 8), (1, 1, 5), (2, 30, 17), (13,)]


@pytest.fixture(params=CORRUPTIONS.kinds())
def kind(request):
    return request.param


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


def build(kind, **options):
    return CorruptionChoice(kind=kind, **options).build()


def spec(shape, dtype="uint8"):
    return SampleSpec(shape=shape, dtype=dtype)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def images(shape=(3, 9, 7), count=6):
    return torch.rand(count, *shape, generator=seeded(0))


def test_a_corruption_follows_from_its_generator_alone(kind):
    torch.manual_seed(0)
    first = build(kind)(images(), seeded(3))
    torch.manual_seed(1)
    assert torch.equal(first, build(kind)(images(), seeded(3)))
    assert torch.equal(first, build(kind)(images(), seeded(4))) == (kind in WITHOUT_CHANCE)


def test_a_corruption_changes_the_input_and_leaves_the_target_alone(kind):
    target = images()
    assert not torch.equal(build(kind)(target, seeded(0)), target)
    assert torch.equal(target, images())


def test_images_of_a_batch_are_corrupted_each_in_its_own_way(kind):
    if kind in WITHOUT_CHANCE:
        pytest.skip("has no chance in it")
    one = images(count=1)
    first, second = build(kind)(one.expand(2, -1, -1, -1), seeded(0))
    assert not torch.equal(first, second)


def test_what_comes_out_is_as_the_spec_says(kind, shape):
    corrupt, target = build(kind), images(shape)
    if (kind in IMAGES_ONLY and len(shape) != 3) or (kind == "greyscale" and shape[0] != 3):
        with pytest.raises(InputError, match=f"{kind} takes images .*given .*{re.escape(str(shape))}: "):
            corrupt.corrupted_spec(spec(shape))
        return
    corrupted, out = corrupt.corrupted_spec(spec(shape)), corrupt(target, seeded(0))
    assert out.shape[1:] == corrupted.shape
    assert (out.dtype, corrupted.dtype) == (target.dtype, "uint8")
    if kind not in MAY_LEAVE_BOUNDS:
        assert out.min() >= 0
        assert out.max() <= 1


def test_every_kind_takes_colour_images(kind):
    assert build(kind).corrupted_spec(spec((3, 9, 7))).shape[0] in (1, 3)


def test_every_kind_says_how_much_of_it_is_nothing():
    assert set(NOTHING) | ALWAYS_SOMETHING == set(CORRUPTIONS.kinds())


@pytest.mark.parametrize("kind", NOTHING)
def test_an_amount_of_nothing_gives_exactly_the_target(kind):
    for target in (images(), images((1, 28, 28))):
        assert torch.equal(build(kind, **NOTHING[kind])(target, seeded(0)), target)


@pytest.mark.parametrize("kind", ["gaussian_noise", "masking"])
def test_tables_without_bounds_can_be_corrupted(kind):
    clean = spec((13,), "float32")
    assert build(kind).corrupted_spec(clean) == clean
    assert build(kind)(torch.randn(5, 13), seeded(0)).shape == (5, 13)


@pytest.mark.parametrize(
    ("kind", "options"), [("salt_and_pepper", {}), ("watermark", {}), ("gaussian_noise", {"clip": True})]
)
def test_what_needs_values_in_0_to_1_refuses_others(kind, options):
    with pytest.raises(InputError, match=rf"{kind}.* takes samples with values in \[0, 1\].*given float32"):
        build(kind, **options).corrupted_spec(spec((3, 9, 7), "float32"))


@pytest.mark.gpu
def test_a_corruption_works_where_its_batch_is(kind):
    corrupt, generator = build(kind), torch.Generator("cuda").manual_seed(0)
    out = corrupt(images().cuda(), generator)
    assert out.is_cuda
    assert out.shape[1:] == corrupt.corrupted_spec(spec((3, 9, 7))).shape


def test_corruptions_are_applied_in_order():
    both = one_after_another([lambda x, _: x + 1, lambda x, _: x * 2])
    assert both(torch.tensor(3.0), seeded(0)) == 8
    assert one_after_another([]) is None


def test_the_spec_of_several_is_that_of_what_they_give():
    chain = [build("downscale", factor=2), build("greyscale"), build("masking")]
    out = one_after_another(chain)(images((3, 9, 7)), seeded(0))
    assert corrupted_spec(chain, spec((3, 9, 7))).shape == tuple(out.shape[1:]) == (1, 5, 4)
    assert corrupted_spec([], spec((13,))) == spec((13,))
    with pytest.raises(InputError, match=r"greyscale takes images of 3 channels, given \(1, 8, 8\): "):
        corrupted_spec([build("greyscale"), build("greyscale")], spec((3, 8, 8)))
