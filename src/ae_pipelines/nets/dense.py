"""Fully connected nets."""

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import Field
from torch import nn

from ae_pipelines.nets import NETS

Width = Annotated[int, Field(gt=0)]


@NETS.register("dense")
class Dense:
    """Layers of the given widths with ReLU between them; the decoder mirrors the encoder.

    The layout of Hinton & Salakhutdinov 2006, with ReLU for the sigmoid.
    """

    def __init__(self, *, widths: Annotated[list[Width], Field(min_length=1)] = [512, 128]) -> None:  # noqa: B006
        self._widths = widths

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), *_layers([prod(shape), *self._widths, outputs]))

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Module:
        widths = [inputs, *reversed(self._widths), prod(shape)]
        return nn.Sequential(*_layers(widths), nn.Unflatten(1, shape))


def _layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]  # nothing after the last
