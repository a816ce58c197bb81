import pytest
import torch
from making import batch_of
from torch import nn
from torch.distributions import Bernoulli, kl_divergence

from ae_pipelines.models.penalties import PenaltyChoice


def price(z, **options):
    return PenaltyChoice(**options).build()(nn.Identity(), batch_of(z), z).item()


def test_l1_is_the_mean_of_absolute_latents():
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert price(z, kind="sparse_l1", weight=2) == pytest.approx(2 * (1 + 2 + 0 + 3) / 4)


def test_kl_is_zero_where_every_latent_has_the_target_activation():
    z = torch.tensor([[0.1, 0.3], [0.3, 0.1]])
    assert price(z, kind="sparse_kl", weight=1, target_activation=0.2) == pytest.approx(0, abs=1e-6)


def test_kl_is_the_divergence_of_bernoullis_summed_over_latents():
    z = torch.rand(9, 4)
    expected = kl_divergence(Bernoulli(torch.tensor(0.05)), Bernoulli(z.mean(0))).sum().item()
    assert price(z, kind="sparse_kl", weight=3) == pytest.approx(3 * expected, rel=1e-5)


def test_kl_of_a_map_takes_the_mean_over_positions_too():
    z = torch.rand(3, 4, 5, 2)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 4)
    assert price(z, kind="sparse_kl", weight=1) == pytest.approx(price(rows, kind="sparse_kl", weight=1), rel=1e-5)


def test_kl_of_latents_that_are_always_off_or_on_is_finite():
    z = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert 0 < price(z, kind="sparse_kl", weight=1) < 100
    assert price(z, kind="sparse_kl", weight=0) == 0


@pytest.mark.parametrize("target", [0, 1])
def test_kl_needs_a_target_activation_between_0_and_1(target):
    with pytest.raises(ValueError, match="target_activation"):
        PenaltyChoice(kind="sparse_kl", weight=1, target_activation=target).check()
