import pytest
import torch

from ae_pipelines.models.corruptions.pixels import Masking, SaltAndPepper

GREY = torch.full((50, 3, 20, 20), 0.5)


def corrupted(corrupt, target=GREY):
    return corrupt(target, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_share_that_is_masked_is_the_one_that_was_given(share):
    assert (corrupted(Masking(share=share)) == 0).float().mean().item() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("corrupt", [Masking(share=0.5), SaltAndPepper(share=0.5)])
def test_all_channels_of_a_pixel_are_lost_together(corrupt):
    out = corrupted(corrupt)
    assert torch.equal(out, out[:, :1].expand_as(out))


def test_single_values_of_a_vector_are_masked():
    lost = corrupted(Masking(share=0.3), torch.ones(1000, 13)) == 0
    assert lost.float().mean(dim=0).tolist() == pytest.approx([0.3] * 13, abs=0.06)
    assert len(lost.unique(dim=0)) > 300


def test_salt_is_as_frequent_as_pepper():
    out = corrupted(SaltAndPepper(share=0.4))
    for value in (0, 1):
        assert (out == value).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (out == 0.5).float().mean().item() == pytest.approx(0.6, abs=0.01)
