import pytest
import torch
from making import batch_of
from torch import nn

from ae_pipelines.models.penalties import PenaltyChoice
from ae_pipelines.models.penalties.contractive import ELEMENTWISE

X = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))


def price(encoder, x=X, weight=1, probes=1):
    x = x.clone().requires_grad_()
    return PenaltyChoice(kind="contractive", weight=weight, probes=probes).build()(encoder, batch_of(x), encoder(x))


def jacobian_squares(encoder, x=X):
    """‖∂z/∂x‖² of each sample, by torch's Jacobian, one sample at a time."""
    return torch.stack(
        [torch.autograd.functional.jacobian(encoder, one[None]).square().sum() for one in x],
    )


def seeded(layers):
    torch.manual_seed(3)
    for parameter in layers.parameters():
        nn.init.normal_(parameter)
    return layers


@pytest.mark.parametrize("activation", ELEMENTWISE, ids=lambda a: a.__name__)
def test_one_layer_is_exact(activation):
    encoder = seeded(nn.Sequential(nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(6, 4))), activation()))
    assert price(encoder, weight=2).item() == pytest.approx(2 * jacobian_squares(encoder).mean().item(), rel=1e-4)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Flatten(), nn.Linear(6, 4)],
        [nn.Identity(), nn.Flatten(), nn.Linear(6, 4), nn.Identity()],
        [nn.Flatten(), nn.Linear(6, 4), nn.ReLU(inplace=True)],
        [nn.Linear(3, 4), nn.Sigmoid(), nn.Flatten()],
        [nn.Linear(3, 4), nn.Flatten()],
        [nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Sigmoid()],
    ],
    ids=["linear", "identities", "in_place", "flattened_after", "linear_flattened_after", "two_activations"],
)
def test_one_layer_is_exact_wherever_it_is_flattened(layers):
    encoder = seeded(nn.Sequential(*layers))
    assert price(encoder).item() == pytest.approx(jacobian_squares(encoder).mean().item(), rel=1e-4)


def test_a_linear_encoder_pays_the_squares_of_its_weights():
    encoder = seeded(nn.Linear(3, 4))
    assert price(encoder, torch.randn(5, 3)).item() == pytest.approx(encoder.weight.square().sum().item(), rel=1e-5)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Sigmoid()],
        [nn.Flatten(), nn.Linear(6, 4), nn.Softmax(1)],
        [nn.Unflatten(1, (1, 2)), nn.Conv2d(1, 3, 2), nn.Softplus()],
    ],
    ids=["two_layers", "softmax", "map"],
)
def test_the_estimate_is_unbiased(layers):
    encoder = seeded(nn.Sequential(*layers))
    repeated = X.repeat(40, 1, 1)  # each time with a probe of its own
    estimates = torch.stack([price(encoder, repeated).detach() for _ in range(50)])
    standard_error = estimates.std().item() / len(estimates) ** 0.5
    assert estimates.mean().item() == pytest.approx(jacobian_squares(encoder).mean().item(), abs=4 * standard_error)
    assert standard_error < 0.05 * estimates.mean().item()


def test_more_probes_give_a_steadier_estimate():
    encoder = seeded(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)))
    one, many = (torch.stack([price(encoder, probes=probes).detach() for _ in range(300)]) for probes in (1, 16))
    assert many.std() < 0.5 * one.std()
    assert many.mean().item() == pytest.approx(jacobian_squares(encoder).mean().item(), rel=0.1)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softmax(1)], ids=["exact", "estimate"])
def test_the_gradient_of_the_penalty_is_that_of_the_jacobian(activation):
    encoder = seeded(nn.Sequential(nn.Flatten(), nn.Linear(6, 4), activation))
    price(encoder, X.repeat(50, 1, 1), probes=100).backward()  # 5,000 probes of each sample
    got = encoder[1].weight.grad.clone()
    encoder.zero_grad()
    rows = [torch.autograd.functional.jacobian(encoder, one[None], create_graph=True).square().sum() for one in X]
    torch.stack(rows).mean().backward()
    tolerance = 1e-5 if isinstance(activation, nn.Sigmoid) else 0.1
    assert (got - encoder[1].weight.grad).norm() < tolerance * encoder[1].weight.grad.norm()


def test_a_batch_that_does_not_require_grad_is_encoded_again():
    encoder = seeded(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)))
    torch.manual_seed(0)
    expected = price(encoder)
    torch.manual_seed(0)
    value = PenaltyChoice(kind="contractive", weight=1).build()(encoder, batch_of(X), encoder(X))
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    value.backward()
    assert encoder[1].weight.grad.abs().sum() > 0
