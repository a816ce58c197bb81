import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NetChoice

SHAPE = (1, 4, 5)


def dense(**options):
    torch.manual_seed(0)
    return NetChoice(kind="dense", **options).build().pair(SHAPE, 3, SHAPE)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_defaults_have_as_many_parameters_as_the_layers_by_hand():
    encoder, decoder = NetChoice(kind="dense").build().pair((1, 28, 28), 32, (1, 28, 28))
    assert count(encoder) == 784 * 512 + 512 + 512 * 128 + 128 + 128 * 32 + 32
    assert count(decoder) == 32 * 128 + 128 + 128 * 512 + 512 + 512 * 784 + 784


def test_without_widths_each_half_is_one_linear_layer():
    encoder, decoder = dense(widths=[])
    assert [type(layer) for layer in encoder[0]] == [nn.Flatten, nn.Linear]
    assert [type(layer) for layer in decoder[0]] == [nn.Linear, nn.Unflatten]
    assert len(encoder) == len(decoder) == 1


def test_tied_halves_share_one_parameter_a_layer():
    halves = nn.ModuleList(dense(widths=[7], tied=True))
    sizes = 20 * 7 + 7 * 3  # shared weights
    assert count(halves) == sizes + (7 + 3) + (7 + 20)
    assert len(list(halves.named_parameters())) == 2 + 2 + 2
    encoder, decoder = halves
    assert decoder[0][0].weight is encoder[1][0].weight
    assert decoder[1][0].weight is encoder[0][1].weight


def test_a_tied_decoder_multiplies_by_the_transposed_weights():
    encoder, decoder = dense(widths=[7], tied=True)
    z = torch.randn(6, 3)
    h = torch.relu(z @ encoder[1][0].weight + decoder[0][0].bias)
    x = h @ encoder[0][1].weight + decoder[1][0].bias
    torch.testing.assert_close(decoder(z), x.reshape(6, *SHAPE))


def test_a_tied_decoder_follows_its_encoder():
    encoder, decoder = dense(widths=[], tied=True)
    with torch.no_grad():
        encoder[0][1].weight.copy_(torch.arange(60.0).reshape(3, 20))
        decoder[0][0].bias.zero_()
    z = torch.tensor([[0.0, 1.0, 0.0]])
    torch.testing.assert_close(decoder(z), torch.arange(20.0, 40.0).reshape(1, *SHAPE))


def test_gradients_of_both_tied_halves_add_up():
    encoder, decoder = dense(widths=[], tied=True)
    x = torch.randn(6, *SHAPE)
    z = encoder(x).detach().requires_grad_()
    weight = encoder[0][1].weight
    x_hat = decoder(encoder(x))
    (both,) = torch.autograd.grad(x_hat.square().sum(), weight)
    of_decoder, of_z = torch.autograd.grad(decoder(z).square().sum(), (weight, z))
    (of_encoder,) = torch.autograd.grad(encoder(x), weight, of_z)
    torch.testing.assert_close(both, of_decoder + of_encoder, atol=1e-4, rtol=1e-5)


def test_a_tied_decoder_alone_saves_all_it_needs():
    _, decoder = dense(widths=[7], tied=True)
    _, other = dense(widths=[7], tied=True)
    for p in other.parameters():
        nn.init.ones_(p)
    other.load_state_dict(decoder.state_dict())
    z = torch.randn(6, 3)
    assert torch.equal(other(z), decoder(z))


def test_tied_halves_stay_tied_when_copied_or_cast():
    for halves in (copy.deepcopy(nn.ModuleList(dense(tied=True))), nn.ModuleList(dense(tied=True)).double()):
        encoder, decoder = halves
        assert decoder[-1][0].weight is encoder[0][1].weight


def test_tied_halves_are_not_made_one_by_one():
    net = NetChoice(kind="dense", tied=True).build()
    with pytest.raises(InputError, match="as a pair; choose a method"):
        net.encoder(SHAPE, 3)
    with pytest.raises(InputError, match="as a pair; choose a method"):
        net.decoder(3, SHAPE)


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_norms_stand_between_hidden_layers_and_their_activations(norm, kind):
    for half in dense(widths=[7, 6], norm=norm, dropout=0.2):
        for stage in half[:-1]:
            linear, *others = (layer for layer in stage if not isinstance(layer, nn.Flatten))
            assert [type(layer) for layer in others] == [kind, nn.ReLU, nn.Dropout]
            assert (linear.bias is None) == (norm == "batch")
        assert {type(layer) for layer in half[-1]} == {nn.Linear} | ({nn.Unflatten} if half[-1][1:] else set())


def test_dropout_is_of_the_share_asked_for():
    encoder, _ = dense(widths=[4000], dropout=0.3, activation="sigmoid")
    hidden = encoder[0](torch.randn(20, *SHAPE))
    assert (hidden == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("leaky_relu", lambda x: torch.where(x > 0, x, 0.2 * x)),
        ("elu", lambda x: torch.where(x > 0, x, x.exp() - 1)),
        ("gelu", lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2),
        ("silu", lambda x: x / (1 + (-x).exp())),
        ("tanh", lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
        ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    ],
)
def test_the_activation_is_the_one_named(name, formula):
    encoder, _ = dense(widths=[7], activation=name)
    x = torch.randn(6, *SHAPE)
    first = encoder[0][1]
    torch.testing.assert_close(encoder[0](x), formula(F.linear(x.flatten(1), first.weight, first.bias)))
