import pytest
import torch
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NetChoice

SHAPE = (3, 10, 7)


def conv(shape=SHAPE, latent_size=5, output_shape=None, **options):
    torch.manual_seed(0)
    return NetChoice(kind="conv", **options).build().pair(shape, latent_size, output_shape or shape)


def layers(half, kinds):
    return [layer for layer in half.modules() if isinstance(layer, kinds)]


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_defaults_have_as_many_parameters_as_the_layers_by_hand():
    encoder, decoder = conv((1, 28, 28), 32)
    features = 64 * 7 * 7
    assert count(encoder) == (9 * 1 * 32 + 32) + (9 * 32 * 64 + 64) + (features * 32 + 32)
    assert count(decoder) == (32 * features + features) + (9 * 64 * 32 + 32) + (9 * 32 * 1 + 1)


def test_the_defaults_are_strided_and_transposed_convolutions_with_relu():
    encoder, decoder = conv()
    assert [[type(layer) for layer in stage] for stage in encoder] == [
        [nn.Conv2d, nn.ReLU],
        [nn.Conv2d, nn.ReLU],
        [nn.Flatten, nn.Linear],
    ]
    assert [[type(layer) for layer in stage] for stage in decoder] == [
        [nn.Linear, nn.Unflatten, nn.ReLU],
        [nn.ConvTranspose2d, nn.ReLU],
        [nn.ConvTranspose2d],
    ]


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_the_stages_next_to_the_image_have_no_norm(norm):
    """Radford et al. 2016, section 3."""
    kinds = {"batch": nn.BatchNorm2d, "layer": nn.GroupNorm}[norm]
    encoder, decoder = conv(channels=[4, 6, 8], norm=norm, residual_blocks=1)
    assert [len(layers(stage, kinds)) for stage in encoder] == [0, 2, 2, 0]
    assert [len(layers(stage, kinds)) for stage in decoder] == [1, 2, 2, 0]


@pytest.mark.parametrize("upsample", ["transposed", "nearest", "pixel_shuffle"])
def test_convolutions_have_a_bias_unless_batch_norm_follows(upsample):
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)
    encoder, decoder = conv(channels=[4, 6, 8], norm="batch", upsample=upsample, latent="map")
    biased = [[layer.bias is not None for layer in layers(half, convolutions)] for half in (encoder, decoder)]
    assert biased == [[True, False, False, True], [False, False, False, True]]
    encoder, decoder = conv(channels=[4, 6, 8], norm="layer", upsample=upsample, latent="map")
    assert all(layer.bias is not None for half in (encoder, decoder) for layer in layers(half, convolutions))


def test_only_vector_latents_have_linear_layers():
    for half in conv(latent="vector"):
        assert len(layers(half, nn.Linear)) == 1
    for half in conv(latent="map"):
        assert not layers(half, nn.Linear)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_fresh_residual_blocks_leave_the_net_as_without_them(activation):
    with_blocks = conv(residual_blocks=2, activation=activation)
    without = conv(residual_blocks=0, activation=activation)
    for half, plain in zip(with_blocks, without, strict=True):
        blocks = {name for name, _ in half.named_parameters() if "branch" in name}
        others = [p for name, p in half.named_parameters() if name not in blocks]
        assert len(blocks) == 2 * 2 * 4  # stages, blocks, weights and biases of two convolutions
        for p, other in zip(plain.parameters(), others, strict=True):
            p.data = other.data
    x = torch.rand(4, *SHAPE)
    z = with_blocks[0](x)
    torch.testing.assert_close(z, without[0](x))
    torch.testing.assert_close(with_blocks[1](z), without[1](z))


def test_a_trained_residual_block_adds_its_branch():
    encoder, _ = conv(residual_blocks=1)
    first, block, activation = encoder[0]
    last = block.branch[-1]
    nn.init.dirac_(last.weight)
    x = torch.rand(4, *SHAPE)
    h = first(x)
    hidden = torch.relu(nn.functional.conv2d(h, block.branch[0].weight, block.branch[0].bias, padding=1))
    torch.testing.assert_close(encoder[0](x), activation(h + hidden))


def test_a_map_of_another_size_is_resized_by_nearest():
    _, decoder = conv((3, 8, 8), output_shape=(3, 16, 24), latent="map")
    resize = decoder[0][0]
    z = torch.arange(4.0).reshape(1, 1, 2, 2)
    rows = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [2, 2, 2, 3, 3, 3], [2, 2, 2, 3, 3, 3]]
    assert resize(z)[0, 0].tolist() == rows


def test_maps_of_the_right_size_are_not_resized():
    _, decoder = conv((3, 8, 8), output_shape=(1, 7, 8), latent="map")
    assert not layers(decoder, nn.Upsample)


def test_a_map_latent_moves_with_the_image():
    """Away from the edges, moving the image by one cell of the map moves the map by one."""
    encoder, _ = conv((1, 48, 48), latent="map")
    x = torch.zeros(1, 1, 48, 48)
    x[..., 18:26, 18:26] = torch.rand(8, 8)
    torch.testing.assert_close(encoder(x.roll(4, 3))[..., 2:-2, 3:-2], encoder(x)[..., 2:-2, 2:-3])


def test_samples_that_are_not_images_are_refused():
    net = NetChoice(kind="conv").build()
    for make in (lambda: net.encoder((7,), 3), lambda: net.decoder(3, (7,)), lambda: net.pair((7,), 3, (7,))):
        with pytest.raises(InputError, match=r"conv nets take images .*given samples of shape \(7,\); choose"):
            make()
