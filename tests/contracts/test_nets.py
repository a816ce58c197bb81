"""What every registered net must do, with its defaults and with each of its options."""

from itertools import combinations, product
from typing import get_args

import pytest
import torch
from pairwise import pairwise

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NETS, Latent, NetChoice
from ae_pipelines.models.nets.activations import Activation
from ae_pipelines.models.nets.norms import Norm
from ae_pipelines.models.nets.resampling import Downsample, Upsample
from ae_pipelines.models.nets.resnet import Pooling

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 7, 5), (4, 13, 1), (2, 1, 1), (3, 30, 17)]

OUTPUT_SHAPES = [(2, 18, 14), (1, 30, 5), (3, 2, 2)]

OPTIONS = {
    "dense": {
        "widths": [[20, 10], []],
        "activation": get_args(Activation),
        "norm": get_args(Norm),
        "dropout": [0, 0.3],
        "tied": [False, True],
    },
    "conv": {
        "channels": [[6, 8, 10], [5]],
        "activation": get_args(Activation),
        "norm": get_args(Norm),
        "downsample": get_args(Downsample),
        "upsample": get_args(Upsample),
        "residual_blocks": [0, 1, 2],
        "latent": get_args(Latent),
    },
    "resnet": {
        "widths": [[4, 6, 8], [5]],
        "blocks": [1, 0],
        "stem_kernel": [3, 5, 7],
        "stem_stride": [1, 2],
        "head": [7],
        "decoder_blocks": [None, 1],
        "pooling": get_args(Pooling),
        "last": ["linear"],  # none gives as many outputs as there are: tests/models/nets/test_resnet.py
        "upsample": ["pixel_shuffle", "transposed"],
        "activation": ["relu", "gelu"],
        "norm": get_args(Norm),
        "latent": get_args(Latent),
    },
}


def choices():
    """Nets of every kind: with its defaults, and such that every two values of its options meet in one."""
    for kind in NETS.kinds():
        yield NetChoice(kind=kind)
        yield from (NetChoice(kind=kind, **options) for options in pairwise(OPTIONS.get(kind, {})))


def with_shapes(shapes):
    """Nets and shapes: each shape meets the defaults and every value of every option."""
    for kind in NETS.kinds():
        yield from ((NetChoice(kind=kind), shape) for shape in shapes)
        for options in pairwise({"shape": shapes, **OPTIONS.get(kind, {})}):
            shape = options.pop("shape")
            yield NetChoice(kind=kind, **options), shape


def name(value):
    return " ".join(map(str, value.model_dump().values())) if isinstance(value, NetChoice) else str(value)


def options(choice):
    return choice.model_extra or {}


CHOICES = list(choices())
of_every_kind = pytest.mark.parametrize("choice", CHOICES, ids=name)


@pytest.fixture
def net(choice):
    torch.manual_seed(0)
    return choice.build()


def latents(net, shape, outputs, count):
    """Random latents of the shape that the net's encoder gives."""
    encoder, _ = net.pair(shape, outputs, shape)
    return torch.randn(count, *encoder.eval()(torch.zeros(1, *shape)).shape[1:])


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_two_values_of_a_net_s_options_meet_in_one_that_is_tried(kind):
    tried = [{"kind": kind, **NETS.options(kind)().model_dump(), **options(c)} for c in CHOICES if c.kind == kind]
    assert set(OPTIONS[kind]) == set(NETS.options(kind).model_fields)
    for (one, ours), (other, theirs) in combinations(OPTIONS[kind].items(), 2):
        assert all(any((t[one], t[other]) == pair for t in tried) for pair in product(ours, theirs)), (one, other)


@pytest.mark.parametrize(("choice", "shape"), list(with_shapes(SHAPES)), ids=name)
def test_each_decoder_stage_undoes_the_shape_of_its_encoder_stage(net, shape):
    encoder, decoder = net.pair(shape, 6, shape)
    x = torch.rand(3, *shape)
    z = encoder(x)
    assert z.shape[:2] == (3, 6)
    assert z.ndim == {"vector": 2, "map": 4}[net.latent]
    assert decoder(z).shape == x.shape
    before = [x, *through(encoder, x)]
    for stage, h, smaller in zip(reversed(decoder), before[:-1], before[1:], strict=True):
        assert stage(smaller).shape == h.shape


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not options(choice).get("tied")], ids=name)
def test_a_pair_is_the_encoder_and_the_decoder(net):
    torch.manual_seed(0)
    halves = [net.encoder((1, 9, 9), 4), net.decoder(4, (1, 9, 9))]
    torch.manual_seed(0)
    for half, of_pair in zip(halves, net.pair((1, 9, 9), 4, (1, 9, 9)), strict=True):
        assert str(half) == str(of_pair)
        for one, other in zip(half.parameters(), of_pair.parameters(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize(("choice", "output_shape"), list(with_shapes(OUTPUT_SHAPES)), ids=name)
def test_a_pair_may_decode_to_another_shape(choice, net, output_shape):
    if options(choice).get("tied"):
        with pytest.raises(InputError, match="one shape, given"):
            net.pair((1, 9, 7), 4, output_shape)
        return
    encoder, decoder = net.pair((1, 9, 7), 4, output_shape)
    assert decoder(encoder(torch.rand(3, 1, 9, 7))).shape == (3, *output_shape)


@of_every_kind
def test_the_same_seed_makes_the_same_weights(net):
    def weights(seed):
        torch.manual_seed(seed)
        module = torch.nn.ModuleList(net.pair((1, 9, 9), 4, (1, 9, 9)))
        return torch.cat([p.reshape(-1) for p in module.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@of_every_kind
def test_every_output_depends_on_the_latent(net):
    _, decoder = net.pair((2, 9, 11), 4, (2, 9, 11))
    z = latents(net, (2, 9, 11), 4, count=64)
    assert (decoder.eval()(z).std(dim=0) > 0).float().mean() > 0.99


@of_every_kind
def test_samples_of_a_batch_do_not_mix(net):
    encoder, decoder = (half.eval() for half in net.pair((1, 9, 9), 4, (1, 9, 9)))
    x = torch.rand(5, 1, 9, 9)
    z = encoder(x)
    torch.testing.assert_close(z[2:3], encoder(x[2:3]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(decoder(z)[2:3], decoder(z[2:3]), atol=1e-5, rtol=1e-4)


@of_every_kind
def test_evaluation_is_deterministic_and_changes_nothing(net):
    halves = torch.nn.Sequential(*net.pair((1, 9, 9), 4, (1, 9, 9))).eval()
    before = {key: value.clone() for key, value in halves.state_dict().items()}
    x = torch.rand(5, 1, 9, 9)
    torch.testing.assert_close(halves(x), halves(x))
    for key, value in halves.state_dict().items():
        assert torch.equal(value, before[key]), key


@of_every_kind
def test_every_parameter_gets_a_gradient(net):
    halves = torch.nn.Sequential(*net.pair((2, 9, 9), 4, (2, 9, 9)))
    halves(torch.rand(8, 2, 9, 9)).square().mean().backward()
    for name, p in halves.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0 or "branch" in name, name  # a branch ends in zeros when it is new


@of_every_kind
def test_the_last_stages_are_linear(net):
    encoder, decoder = (half.eval() for half in net.pair((1, 9, 9), 4, (1, 9, 9)))
    x = torch.rand(6, 1, 9, 9)
    features = [encoder[:-1](x), decoder[:-1](encoder(x))]
    for last, h in zip((encoder[-1], decoder[-1]), features, strict=True):
        a, b = h.chunk(2)
        torch.testing.assert_close(last(a) + last(b), last(a + b) + last(torch.zeros_like(a)), atol=1e-4, rtol=1e-4)


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
    for last, h in ((encoder[-1], encoded[-2]), (decoder[-1], decoded[-2])):
        given = last(50 * torch.randn_like(h))
        assert given.min() < 0 < 1 < given.max()


def through(half, x):
    """What each stage gives."""
    for stage in half:
        x = stage(x)
        yield x
