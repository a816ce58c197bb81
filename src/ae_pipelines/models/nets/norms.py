"""Normalisation by name; each maker takes the number of features or channels and returns the layers, none or one.

A layer whose output goes through batch norm needs no bias: the norm has its own, and cancels any other.
"""

from collections.abc import Callable
from typing import Literal

from torch import nn

Norm = Literal["none", "batch", "layer"]
Normalise = Callable[[int], list[nn.Module]]

OF_FEATURES: dict[Norm, Normalise] = {
    "none": lambda features: [],
    "batch": lambda features: [nn.BatchNorm1d(features)],
    "layer": lambda features: [nn.LayerNorm(features)],
}

OF_IMAGES: dict[Norm, Normalise] = {
    "none": lambda channels: [],
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "layer": lambda channels: [nn.GroupNorm(1, channels)],  # over channels, height and width
}
