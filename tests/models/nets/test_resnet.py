import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NetChoice


def convolution(inputs, outputs, kernel=3, stride=1):
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(*convolution(width, width), nn.ReLU(), *convolution(width, width))

    def forward(self, x):
        return F.relu(x + self.layers(x))


def in_plain_torch():
    """The default for 64 latents of coloured images, written down layer by layer."""
    return nn.Sequential(
        *(*convolution(3, 32, kernel=5, stride=2), nn.ReLU(), Residual(32)),
        *(*convolution(32, 64, stride=2), nn.ReLU(), Residual(64)),
        *(*convolution(64, 128, stride=2), nn.ReLU(), Residual(128)),
        *(*convolution(128, 256, kernel=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 64)),
    )


def test_the_default_is_what_it_is_in_plain_torch():
    torch.manual_seed(0)
    net, plain = NetChoice(kind="resnet").build().encoder((3, 32, 32), 64), in_plain_torch()
    own = list(net.state_dict().values())
    assert sum(parameter.numel() for parameter in net.parameters()) == 532_704
    plain.load_state_dict(dict(zip(plain.state_dict(), own, strict=True)))
    x = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(net(x), plain(x), atol=1e-4, rtol=1e-4)
    assert net[0](x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(24, 24), (28, 28), (33, 33), (64, 48)], ids=str)
@pytest.mark.parametrize("options", [{}, {"latent": "map", "stem_stride": 1}, {"pooling": "none"}], ids=str)
def test_images_of_any_size_come_back_in_theirs_and_move_every_parameter(size, options):
    torch.manual_seed(0)
    net = NetChoice(kind="resnet", widths=[4, 6, 8], head=10, **options).build()
    encoder, decoder = net.pair((3, *size), 5, (3, *size))
    x = torch.rand(4, 3, *size)
    output = decoder(encoder(x))
    assert output.shape == x.shape
    output.square().mean().backward()
    for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_a_vector_of_means_forgets_where_things_are_and_one_of_all_positions_does_not():
    torch.manual_seed(0)
    x = torch.zeros(2, 1, 64, 64)
    x[0, :, 16:24, 16:24] = x[1, :, 32:40, 32:40] = 1  # by whole cells of 8, and far from the edge
    for pooling, same in (("mean", True), ("none", False)):
        net = NetChoice(kind="resnet", widths=[4, 6, 8], head=10, blocks=0, pooling=pooling).build()
        one, other = net.encoder((1, 64, 64), 5).eval()(x)
        assert torch.allclose(one, other, atol=1e-6) == same


def test_the_decoder_may_have_fewer_blocks():
    net = NetChoice(kind="resnet", widths=[4, 6], decoder_blocks=0).build()
    encoder, decoder = net.pair((1, 9, 9), 3, (1, 9, 9))
    assert "Block" in str(encoder)
    assert "Block" not in str(decoder)


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(InputError, match="resnet nets take images"):
        NetChoice(kind="resnet").build().encoder((5,), 2)


def test_pooled_values_may_be_the_latents():
    small = {"kind": "resnet", "widths": [4], "head": 5}
    alone, linear = (NetChoice(**small, last=last).build().encoder((3, 8, 8), 5) for last in ("none", "linear"))
    assert len(linear[-1]) == len(alone[-1]) + 1
    assert alone(torch.zeros(2, 3, 8, 8)).shape == (2, 5)
    with pytest.raises(InputError, match="gives 5 values, but 7 are wanted"):
        NetChoice(**small, last="none").build().encoder((3, 8, 8), 7)
