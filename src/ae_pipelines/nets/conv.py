"""Convolutional nets for images of any height and width."""

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import Field
from torch import nn

from ae_pipelines.errors import InputError
from ae_pipelines.nets import NETS

Channels = Annotated[int, Field(gt=0)]


@NETS.register("conv")
class Conv:
    """3 × 3 convolutions of stride 2 with ReLU, then one linear layer; the decoder mirrors it.

    Each stage halves height and width, rounding up; the transposed convolutions give back exactly the
    sizes that the encoder saw.
    """

    def __init__(self, *, channels: Annotated[list[Channels], Field(min_length=1)] = [32, 64]) -> None:  # noqa: B006
        self._channels = channels

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        sizes = self._sizes(shape)
        layers: list[nn.Module] = []
        for inputs, width in pairwise([shape[0], *self._channels]):
            layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.ReLU()]
        features = self._channels[-1] * prod(sizes[-1])
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Module:
        sizes = self._sizes(shape)
        small = (self._channels[-1], *sizes[-1])
        layers: list[nn.Module] = [nn.Linear(inputs, prod(small)), nn.ReLU(), nn.Unflatten(1, small)]
        widths = [*reversed(self._channels), shape[0]]
        for (width, outputs), (before, after) in zip(pairwise(widths), pairwise(reversed(sizes)), strict=True):
            lost = (after[0] - (2 * before[0] - 1), after[1] - (2 * before[1] - 1))
            layers += [nn.ConvTranspose2d(width, outputs, 3, 2, padding=1, output_padding=lost), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def _sizes(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """(height, width) before the first stage and after each."""
        if len(shape) != 3:
            raise InputError(f"conv nets take images (channels, height, width), given samples of shape {shape}")
        sizes = [(shape[1], shape[2])]
        for _ in self._channels:
            height, width = sizes[-1]
            sizes.append((-(-height // 2), -(-width // 2)))
        return sizes
