import pytest
import torch

from ae_pipelines.models.corruptions.noise import GaussianNoise


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_noise_has_the_standard_deviation_it_says():
    noise = GaussianNoise(noise_level=0.25)(torch.zeros(10_000), seeded(0))
    assert noise.std().item() == pytest.approx(0.25, rel=0.03)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)


def test_clipped_noise_is_the_same_noise_held_to_the_range_of_images():
    target = torch.rand(8, 1, 9, 7, generator=seeded(1))
    plain, clipped = (GaussianNoise(noise_level=0.5, clip=clip)(target, seeded(0)) for clip in (False, True))
    assert plain.min() < 0
    assert torch.equal(clipped, plain.clamp(0, 1))
