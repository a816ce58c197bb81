"""What every registered corruption must do."""

import pytest
import torch

from ae_pipelines.corruptions import CORRUPTIONS, CorruptionChoice, one_after_another

TARGET = torch.rand(6, 1, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=CORRUPTIONS.kinds())
def corrupt(request):
    return CorruptionChoice(kind=request.param).build()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_a_corruption_follows_from_its_generator_alone(corrupt):
    torch.manual_seed(0)
    first = corrupt(TARGET, seeded(3))
    torch.manual_seed(1)
    assert torch.equal(first, corrupt(TARGET, seeded(3)))
    assert not torch.equal(first, corrupt(TARGET, seeded(4)))


def test_a_corruption_changes_the_input_and_leaves_the_target_alone(corrupt):
    before = TARGET.clone()
    assert not torch.equal(corrupt(TARGET, seeded(0)), TARGET)
    assert torch.equal(TARGET, before)


def test_noise_of_level_zero_changes_nothing():
    corrupt = CorruptionChoice(kind="gaussian_noise", noise_level=0).build()
    assert torch.equal(corrupt(TARGET, seeded(0)), TARGET)


def test_noise_has_the_standard_deviation_it_says():
    corrupt = CorruptionChoice(kind="gaussian_noise", noise_level=0.25).build()
    noise = corrupt(torch.zeros(10_000), seeded(0))
    assert noise.std().item() == pytest.approx(0.25, rel=0.03)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)


def test_corruptions_are_applied_in_order():
    both = one_after_another([lambda x, _: x + 1, lambda x, _: x * 2])
    assert both(torch.tensor(3.0), seeded(0)) == 8
    assert one_after_another([]) is None
