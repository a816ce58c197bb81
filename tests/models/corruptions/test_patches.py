import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions.patches import Patches
from ae_pipelines.samples.spec import SampleSpec

TARGET = torch.ones(400, 3, 10, 14)


def holes(corrupt, target=TARGET):
    """(batch, height, width): what became 0."""
    return corrupt(target, torch.Generator().manual_seed(0))[:, 0] == 0


def test_one_patch_is_a_square_wholly_inside():
    inside = holes(Patches(size=0.4))
    assert inside.any(2).sum(1).tolist() == inside.any(1).sum(1).tolist() == [4] * 400
    assert inside.sum((1, 2)).tolist() == [16] * 400


def test_patches_reach_every_pixel_and_all_channels():
    out = Patches(size=0.4)(TARGET, torch.Generator().manual_seed(0))
    assert (out == 0).any(0).all()
    assert torch.equal(out[:, 0], out[:, 2])


def test_several_patches_may_overlap_but_hide_no_more_than_their_areas():
    hidden = holes(Patches(count=3, size=0.2)).sum((1, 2))
    assert hidden.max() == 3 * 4
    assert hidden.min() >= 4


def test_the_smallest_patch_is_a_pixel_and_the_largest_the_shorter_side():
    assert holes(Patches(size=0.001)).sum((1, 2)).tolist() == [1] * 400
    assert holes(Patches(size=1)).sum((1, 2)).tolist() == [100] * 400


def test_holes_have_the_fill_that_was_given():
    assert Patches(size=1, fill=0.25)(torch.zeros(2, 1, 4, 4), torch.Generator()).unique().tolist() == [0.25]
    assert Patches(fill=-1).corrupted_spec(SampleSpec(shape=(1, 8, 8), dtype="float32")).shape == (1, 8, 8)
    with pytest.raises(InputError, match=r"a fill in \[0, 1\], given -1"):
        Patches(fill=-1).corrupted_spec(SampleSpec(shape=(1, 8, 8), dtype="uint8"))
