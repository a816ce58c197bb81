"""What every registered net must do, with its defaults and with each of its options."""

from typing import get_args

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NETS, NetChoice
from ae_pipelines.models.nets.activations import Activation
from ae_pipelines.models.nets.norms import Norm
from ae_pipelines.models.nets.resampling import Downsample, Upsample

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 7, 5), (4, 13, 1), (2, 1, 1), (3, 30, 17)]

SMALL = {"dense": {"widths": [20, 10]}, "conv": {"channels": [6, 8, 10]}}
VARIANTS = {
    "dense": [
        {"widths": []},
        {"tied": True},
        {"tied": True, "widths": []},
        {"tied": True, "norm": "batch"},
        {"dropout": 0.3},
        *({"activation": activation} for activation in get_args(Activation)),
        *({"norm": norm} for norm in get_args(Norm)),
    ],
    "conv": [
        {"channels": [5]},
        {"residual_blocks": 2},
        {"residual_blocks": 1, "norm": "batch", "latent": "map"},
        {"latent": "map"},
        *({"activation": activation} for activation in get_args(Activation)),
        *({"norm": norm} for norm in get_args(Norm)),
        *({"downsample": downsample} for downsample in get_args(Downsample)),
        *({"upsample": upsample} for upsample in get_args(Upsample)),
        *({"upsample": upsample, "norm": "batch", "latent": "map"} for upsample in get_args(Upsample)),
    ],
}
CHOICES = [NetChoice(kind=kind) for kind in NETS.kinds()] + [
    NetChoice(kind=kind, **{**SMALL.get(kind, {}), **options})
    for kind in NETS.kinds()
    for options in VARIANTS.get(kind, [])
]


def name(choice):
    return " ".join(str(value) for value in choice.model_dump().values())


def options(choice):
    return choice.model_extra or {}


@pytest.fixture(params=CHOICES, ids=name)
def choice(request):
    return request.param


@pytest.fixture
def net(choice):
    torch.manual_seed(0)
    return choice.build()


def latents(net, shape, outputs, count):
    """Random latents of the shape that the net's encoder gives."""
    encoder, _ = net.pair(shape, outputs, shape)
    return torch.randn(count, *encoder.eval()(torch.zeros(1, *shape)).shape[1:])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_encoder_and_decoder_keep_the_shape_of_any_sample(net, shape):
    x = torch.rand(3, *shape)
    encoder, decoder = net.pair(shape, 6, shape)
    z = encoder(x)
    assert z.shape[:2] == (3, 6)
    assert z.ndim == {"vector": 2, "map": 4}[net.latent]
    assert decoder(z).shape == x.shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_decoder_stage_undoes_the_shape_of_its_encoder_stage(net, shape):
    encoder, decoder = net.pair(shape, 6, shape)
    x = torch.rand(3, *shape)
    n = len(encoder)
    assert len(decoder) == n
    for i in range(n):
        assert decoder[n - 1 - i](encoder[: i + 1](x)).shape == encoder[:i](x).shape


def test_a_pair_is_the_encoder_and_the_decoder(choice, net):
    if options(choice).get("tied"):
        pytest.skip("tied halves are made as a pair only")
    torch.manual_seed(0)
    halves = [net.encoder((1, 9, 9), 4), net.decoder(4, (1, 9, 9))]
    torch.manual_seed(0)
    for half, of_pair in zip(halves, net.pair((1, 9, 9), 4, (1, 9, 9)), strict=True):
        assert str(half) == str(of_pair)
        for one, other in zip(half.parameters(), of_pair.parameters(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("output_shape", [(2, 18, 14), (1, 30, 5), (3, 2, 2)], ids=str)
def test_a_pair_may_decode_to_another_shape(choice, net, output_shape):
    if options(choice).get("tied"):
        with pytest.raises(InputError, match="one shape, given"):
            net.pair((1, 9, 7), 4, output_shape)
        return
    encoder, decoder = net.pair((1, 9, 7), 4, output_shape)
    assert decoder(encoder(torch.rand(3, 1, 9, 7))).shape == (3, *output_shape)


def test_the_same_seed_makes_the_same_weights(net):
    def weights(seed):
        torch.manual_seed(seed)
        module = torch.nn.ModuleList(net.pair((1, 9, 9), 4, (1, 9, 9)))
        return torch.cat([p.reshape(-1) for p in module.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_every_output_depends_on_the_latent(net):
    _, decoder = net.pair((2, 9, 11), 4, (2, 9, 11))
    z = latents(net, (2, 9, 11), 4, count=64)
    assert (decoder.eval()(z).std(dim=0) > 0).float().mean() > 0.99


def test_samples_of_a_batch_do_not_mix(net):
    encoder, decoder = (half.eval() for half in net.pair((1, 9, 9), 4, (1, 9, 9)))
    x = torch.rand(5, 1, 9, 9)
    z = encoder(x)
    torch.testing.assert_close(z[2:3], encoder(x[2:3]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(decoder(z)[2:3], decoder(z[2:3]), atol=1e-5, rtol=1e-4)


def test_evaluation_is_deterministic_and_changes_nothing(net):
    halves = torch.nn.Sequential(*net.pair((1, 9, 9), 4, (1, 9, 9))).eval()
    before = {key: value.clone() for key, value in halves.state_dict().items()}
    x = torch.rand(5, 1, 9, 9)
    assert torch.equal(halves(x), halves(x))
    for key, value in halves.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_every_parameter_gets_a_gradient(choice, net):
    halves = torch.nn.Sequential(*net.pair((2, 9, 9), 4, (2, 9, 9)))
    halves(torch.rand(8, 2, 9, 9)).square().mean().backward()
    assert all(p.grad is not None for p in halves.parameters())
    assert options(choice).get("residual_blocks") or all(p.grad.abs().max() > 0 for p in halves.parameters())


def test_the_last_stages_are_linear(net):
    encoder, decoder = (half.eval() for half in net.pair((1, 9, 9), 4, (1, 9, 9)))
    x = torch.rand(6, 1, 9, 9)
    features = [encoder[:-1](x), decoder[:-1](encoder(x))]
    for last, h in zip((encoder[-1], decoder[-1]), features, strict=True):
        a, b = h.chunk(2)
        torch.testing.assert_close(last(a) + last(b), last(a + b) + last(torch.zeros_like(a)))


@pytest.mark.parametrize("options", [{}, {"norm": "batch"}, {"norm": "layer"}], ids=str)
@pytest.mark.parametrize("kind", [kind for kind in NETS.kinds() if "activation" in NETS.options(kind).model_fields])
def test_every_stage_but_the_last_ends_in_the_activation(kind, options):
    net = NetChoice(kind=kind, activation="sigmoid", **options).build()
    encoder, decoder = net.pair((1, 9, 9), 4, (1, 9, 9))
    x = 50 * torch.randn(6, 1, 9, 9)
    encoded = list(through(encoder, x))
    decoded = list(through(decoder, encoded[-1]))
    for h in encoded[:-1] + decoded[:-1]:
        assert 0 <= h.min() <= h.max() <= 1
    for h in (encoded[-1], decoded[-1]):
        assert h.min() < 0 or h.max() > 1


def through(half, x):
    """What each stage gives."""
    for stage in half:
        x = stage(x)
        yield x
