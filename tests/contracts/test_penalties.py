"""What every registered penalty must do."""

import pytest
import torch
from making import batch_of
from torch import nn

from ae_pipelines.models.penalties import PENALTIES, PenaltyChoice

X = torch.rand(12, 2, 8, 6, generator=torch.Generator().manual_seed(0))

ENCODERS = {
    "one_layer": lambda d: nn.Sequential(nn.Flatten(), nn.Linear(96, d)),
    "two_layers": lambda d: nn.Sequential(nn.Flatten(), nn.Linear(96, 7), nn.Tanh(), nn.Linear(7, d)),
    "map": lambda d: nn.Sequential(nn.Conv2d(2, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, d, 3, padding=1)),
}


def of_weight(kind, weight):
    return PenaltyChoice(kind=kind, weight=weight).build()


def components(penalty):
    """Of the layout that it wants, if it wants one."""
    return 0 if penalty.layout is None else penalty.layout.components


def batch_for(penalty, x):
    layout = torch.randn(12, components(penalty), generator=torch.Generator().manual_seed(1))
    return batch_of(x, None if penalty.layout is None else layout)


def price(penalty, encoder, seed=0):
    x = X.clone().requires_grad_()
    torch.manual_seed(seed)
    return penalty(encoder, batch_for(penalty, x), encoder(x))


@pytest.fixture(params=PENALTIES.kinds())
def kind(request):
    return request.param


@pytest.fixture
def penalty(kind):
    return of_weight(kind, 0.7)


@pytest.fixture(params=ENCODERS)
def encoder(request, penalty):
    torch.manual_seed(1)
    layers = ENCODERS[request.param](max(5, components(penalty)))
    return nn.Sequential(layers, nn.Sigmoid()) if penalty.needs_unit_latents else layers


def test_a_penalty_is_a_finite_scalar_and_never_a_reward(penalty, encoder):
    value = price(penalty, encoder)
    assert value.shape == ()
    assert value.isfinite()
    assert value > 0


def test_a_penalty_of_weight_zero_is_exactly_zero(kind, encoder):
    assert price(of_weight(kind, 0), encoder).item() == 0


def test_twice_the_weight_is_twice_the_penalty(kind, encoder):
    once, twice = price(of_weight(kind, 0.7), encoder), price(of_weight(kind, 1.4), encoder)
    assert twice.item() == pytest.approx(2 * once.item(), rel=1e-5)


def test_an_encoder_that_descends_a_penalty_pays_less(penalty, encoder):
    optimiser = torch.optim.Adam(encoder.parameters(), 3e-3)
    before = price(penalty, encoder).item()
    for seed in range(30):
        optimiser.zero_grad()
        price(penalty, encoder, seed).backward()
        optimiser.step()
    assert price(penalty, encoder).item() < 0.9 * before


def test_a_penalty_has_the_same_value_in_validation_and_leaves_no_graph(penalty, encoder):
    with torch.no_grad():
        z = encoder(X)
        torch.manual_seed(0)
        value = penalty(encoder, batch_for(penalty, X), z)
    assert value.item() == pytest.approx(price(penalty, encoder).item(), rel=1e-5)
    assert not value.requires_grad
    assert not X.requires_grad
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_bfloat16_penalties_are_near_float32(penalty, encoder):
    full = price(penalty, encoder).item()
    with torch.autocast("cpu", torch.bfloat16):
        half = price(penalty, encoder)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full, rel=0.02)


@pytest.mark.parametrize("weight", [-1, float("inf"), float("nan")])
def test_a_weight_is_finite_and_not_negative(kind, weight):
    with pytest.raises(ValueError, match="weight"):
        of_weight(kind, weight)


def test_a_weight_must_be_given(kind):
    with pytest.raises(ValueError, match="weight: not given"):
        PenaltyChoice(kind=kind).check()
