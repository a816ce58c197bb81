"""What stands between an encoder and the loss of two views, and is no part of the encoder."""

from typing import Annotated

from pydantic import Field
from torch import nn

Width = Annotated[int, Field(gt=0)]
WIDTHS: list[Width] = [512, 256]
"""Of its layers, where nothing else is said."""


def perceptron(inputs: int, widths: list[int]) -> nn.Sequential:
    """(batch, inputs) → (batch, widths[-1]); hidden layers have batch norm, the last is linear."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, widths[-1]))
