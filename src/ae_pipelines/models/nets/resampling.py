"""Convolutions that halve or double height and width; each maker returns the layers of one.

Halving rounds up, and doubling is given the size to reach, so that any size, even odd or 1, comes back exactly.
"""

from collections.abc import Callable
from math import prod
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError

Size = tuple[int, int]
"""(height, width)"""

Downsample = Literal["stride", "max_pool", "average_pool"]
Upsample = Literal["transposed", "nearest", "bilinear", "pixel_shuffle", "max_unpool"]


def convolution(inputs: int, outputs: int, *, bias: bool = True, stride: int = 1) -> nn.Conv2d:
    """A 3 × 3 convolution that keeps height and width unless `stride` is 2."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


def halved(shape: tuple[int, ...], times: int, net: str) -> list[Size]:
    """(height, width) of samples of this shape, and after each halving; `InputError` if they are no images."""
    if len(shape) != 3:
        raise InputError(
            f"{net} nets take images (channels, height, width), given samples of shape {shape}; "
            "choose a net for any shape, such as dense"
        )
    sizes = [(shape[1], shape[2])]
    for _ in range(times):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def from_vector(inputs: int, width: int, size: Size) -> list[nn.Module]:
    """(batch, inputs) → (batch, width, *size), by a linear layer"""
    return [nn.Linear(inputs, width * prod(size)), nn.Unflatten(1, (width, *size))]


def from_map(inputs: int, width: int, given: Size, size: Size, bias: bool) -> list[nn.Module]:
    """(batch, inputs, *given) → (batch, width, *size), by a convolution; another size is reached first (nearest)"""
    resize = [nn.Upsample(size, mode="nearest")] if given != size else []
    return [*resize, convolution(inputs, width, bias=bias)]


class Mirrored:
    """A net for images whose decoder undoes its encoder step by step, from maps of the size that the encoder makes."""

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
        raise NotImplementedError

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Sequential:
        return self._decoder(inputs, shape, given=self._sizes(shape)[-1])

    def pair(
        self, input_shape: tuple[int, ...], latent_size: int, output_shape: tuple[int, ...]
    ) -> tuple[nn.Sequential, nn.Sequential]:
        encoder = self.encoder(input_shape, latent_size)
        return encoder, self._decoder(latent_size, output_shape, given=self._sizes(input_shape)[-1])

    def _decoder(self, inputs: int, shape: tuple[int, ...], given: Size) -> nn.Sequential:
        """`given`: the size of the maps it gets, where latents are maps."""
        raise NotImplementedError

    def _sizes(self, shape: tuple[int, ...]) -> list[Size]:
        """(height, width) before the first stage and after each that changes it."""
        raise NotImplementedError


def without_learning(x: Tensor, shape: tuple[int, ...], mode: str = "bicubic") -> Tensor:
    """Samples x (batch, ...) in another shape (without the batch axis): where height or width differ, images are
    interpolated and clipped to [0, 1]; a single channel is repeated."""
    if x.shape[2:] != shape[1:]:
        x = F.interpolate(x, shape[1:], mode=mode, align_corners=False).clamp(0, 1)
    return x.expand(-1, *shape)


def _stride(inputs: int, outputs: int, bias: bool) -> list[nn.Module]:
    return [convolution(inputs, outputs, bias=bias, stride=2)]


def _max_pool(inputs: int, outputs: int, bias: bool) -> list[nn.Module]:
    return [convolution(inputs, outputs, bias=bias), nn.MaxPool2d(2, ceil_mode=True)]


def _average_pool(inputs: int, outputs: int, bias: bool) -> list[nn.Module]:
    """At an odd edge the average is over the values that are there."""
    return [convolution(inputs, outputs, bias=bias), nn.AvgPool2d(2, ceil_mode=True)]


def _transposed(inputs: int, outputs: int, before: Size, after: Size, bias: bool) -> list[nn.Module]:
    """The transpose of the strided convolution; `output_padding` picks which of two sizes it came from."""
    lost = (after[0] - (2 * before[0] - 1), after[1] - (2 * before[1] - 1))
    return [nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=lost, bias=bias)]


def _nearest(inputs: int, outputs: int, before: Size, after: Size, bias: bool) -> list[nn.Module]:
    """Resize, then convolve: no checkerboard (Odena et al. 2016)."""
    return [nn.Upsample(after, mode="nearest"), convolution(inputs, outputs, bias=bias)]


def _bilinear(inputs: int, outputs: int, before: Size, after: Size, bias: bool) -> list[nn.Module]:
    return [nn.Upsample(after, mode="bilinear"), convolution(inputs, outputs, bias=bias)]


def _pixel_shuffle(inputs: int, outputs: int, before: Size, after: Size, bias: bool) -> list[nn.Module]:
    """The sub-pixel convolution of Shi et al. 2016, eq. 4: it computes the 2 × 2 cell of each pixel as channels."""
    crop = [] if after == (2 * before[0], 2 * before[1]) else [Crop(after)]
    return [convolution(inputs, 4 * outputs, bias=bias), nn.PixelShuffle(2), *crop]


def _max_unpool(inputs: int, outputs: int, before: Size, after: Size, bias: bool) -> list[nn.Module]:
    return [Unpool(after), convolution(inputs, outputs, bias=bias)]


class Crop(nn.Module):
    """(…, height, width) → its upper left corner of the given size"""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self._height, self._width = size

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self._height, : self._width]


class Unpool(nn.Module):
    """(batch, channels, h, w) → (batch, channels, *size): values in the upper left of 2 × 2 cells, zeros elsewhere.

    `size` is 2h or 2h - 1 by 2w or 2w - 1. The unpooling with fixed switches of Dosovitskiy et al. 2015, section 3.2.
    It departs from unpooling that puts maxima back where they were (Zeiler & Fergus 2014; SegNet), since that
    needs the encoder's indices and a decoder here must work from a latent alone.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self._size = size

    def forward(self, x: Tensor) -> Tensor:
        cells = x.new_zeros(*x.shape[:2], *self._size)
        cells[:, :, ::2, ::2] = x
        return cells


Down = Callable[[int, int, bool], list[nn.Module]]
"""(inputs, outputs, bias) → layers"""
DOWN: dict[Downsample, Down] = {"stride": _stride, "max_pool": _max_pool, "average_pool": _average_pool}

Up = Callable[[int, int, Size, Size, bool], list[nn.Module]]
"""(inputs, outputs, size before, size after, bias) → layers"""
UP: dict[Upsample, Up] = {
    "transposed": _transposed,
    "nearest": _nearest,
    "bilinear": _bilinear,
    "pixel_shuffle": _pixel_shuffle,
    "max_unpool": _max_unpool,
}
