"""What every registered corruption must do."""

import re

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, CorruptionChoice, corrupted_spec, one_after_another
from ae_pipelines.samples.spec import SampleSpec

SHAPES = [(1, 9, 7), (3, 9, 7), (4, 9, 7), (3, 8, 8), (1, 1, 5), (2, 30, 17), (13,)]


MAKERS = {kind: CORRUPTIONS.maker(kind) for kind in CORRUPTIONS.kinds()}


@pytest.fixture(params=MAKERS)
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


def takes(corruption, shape):
    try:
        corruption.corrupted_spec(spec(shape))
    except InputError:
        return False
    return True


def samples_for(corruption, count=6):
    """Colour images or, if it does not take them, the first shape that it takes."""
    shapes = [shape for shape in ((3, 9, 7), *SHAPES) if takes(corruption, shape)]
    assert shapes, f"corrupted_spec refuses all of {SHAPES}"
    return images(shapes[0], count)


def test_a_corruption_is_of_the_class_that_says_what_it_does(kind):
    assert issubclass(MAKERS[kind], Corruption), f"write class {MAKERS[kind].__name__}(Corruption)"


def test_a_corruption_follows_from_its_generator_alone(kind):
    corrupt = build(kind)
    target = samples_for(corrupt)
    torch.manual_seed(0)
    first = corrupt(target.clone(), seeded(3))
    torch.manual_seed(1)
    assert torch.equal(first, build(kind)(target.clone(), seeded(3))), "draw from the generator that is given only"
    same = torch.equal(first, build(kind)(target.clone(), seeded(4)))
    assert same != corrupt.random, "set random = False" if same else "set random = True"


def test_a_corruption_changes_the_input_and_leaves_the_target_alone(kind):
    target = samples_for(build(kind))
    before = target.clone()
    assert not torch.equal(build(kind)(target, seeded(0)), target)
    assert torch.equal(target, before), "give a new tensor: the target is learned from"


@pytest.mark.parametrize("kind", [kind for kind, maker in MAKERS.items() if maker.random])
def test_samples_of_a_batch_are_corrupted_each_in_its_own_way(kind):
    others = samples_for(build(kind))
    first, second, *_ = build(kind)(torch.cat([others[:1], others]), seeded(0))
    assert not torch.equal(first, second), "draw for each sample of a batch, or set random = False"


def test_what_comes_out_is_as_the_spec_says(kind, shape):
    corrupt, target = build(kind), images(shape)
    if not takes(corrupt, shape):
        with pytest.raises(InputError, match=f"{kind} takes .*given .*{re.escape(str(shape))}: "):
            corrupt.corrupted_spec(spec(shape))
        return
    corrupted, out = corrupt.corrupted_spec(spec(shape)), corrupt(target, seeded(0))
    assert out.shape[1:] == corrupted.shape
    assert (out.dtype, corrupted.dtype) == (target.dtype, "uint8")
    if corrupt.keeps_bounds:
        assert 0 <= out.min() <= out.max() <= 1, "hold values to [0, 1], or set keeps_bounds = False"


def test_what_may_leave_the_bounds_does(kind):
    corrupt = build(kind)
    out = corrupt(torch.cat([samples_for(corrupt)] * 50), seeded(0))
    assert corrupt.keeps_bounds == (0 <= out.min() <= out.max() <= 1), "set keeps_bounds"


@pytest.mark.parametrize("kind", [kind for kind, maker in MAKERS.items() if maker.nothing is not None])
def test_an_amount_of_nothing_gives_exactly_the_target(kind):
    corrupt = build(kind, **MAKERS[kind].nothing)
    taken = [shape for shape in (*SHAPES, (1, 28, 28)) if takes(corrupt, shape)]
    assert taken
    for target in map(images, taken):
        assert torch.equal(corrupt(target, seeded(0)), target), "set nothing to options with which it does nothing"


@pytest.mark.parametrize("options", [*({"kind": kind} for kind in MAKERS), {"kind": "crop", "size": 5}], ids=str)
def test_clean_samples_get_the_shape_of_corrupted_ones_in_one_way(options):
    corrupt = build(**options)
    clean = samples_for(corrupt)
    corrupted = corrupt.corrupted_spec(spec(tuple(clean.shape[1:])))
    if corrupted.shape != tuple(clean.shape[1:]):
        first, again = corrupt.reshaped(clean, seeded(0)), corrupt.reshaped(clean, seeded(1))
        assert first.shape[1:] == corrupted.shape
        assert torch.equal(first, again), "write reshaped: what is embedded must not be random"


OF_PLACES = ["affine", "crop", "colours", "blur", "patches", "downscale", "watermark", "greyscale"]


@pytest.mark.parametrize("kind", OF_PLACES)
def test_what_works_on_places_takes_images_alone(kind):
    assert takes(build(kind), (3, 9, 7))
    with pytest.raises(InputError, match=rf"{kind} takes images .*given .*\(13,\): "):
        build(kind).corrupted_spec(spec((13,)))


@pytest.mark.parametrize("kind", ["gaussian_noise", "masking", "scaling", "cut_mix"])
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
def test_corruptions_work_where_their_batch_is():
    for kind in CORRUPTIONS.kinds():
        corrupt, generator = build(kind), torch.Generator("cuda").manual_seed(0)
        target = samples_for(corrupt).cuda()
        out = corrupt(target, generator)
        assert out.is_cuda, kind
        assert out.shape[1:] == corrupt.corrupted_spec(spec(tuple(target.shape[1:]))).shape, kind


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
