"""Encoder and decoder families; a net makes both halves for any sample shape."""

from typing import Protocol

from torch import nn

from ae_pipelines.registry import Choice, Registry

NETS = Registry("net", __name__)


class Net(Protocol):
    """A family of encoders and decoders.

    `encoder` maps (batch, *shape) to (batch, outputs); `decoder` maps (batch, inputs) to raw values
    (batch, *shape), before any activation.
    """

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module: ...

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Module: ...


class NetChoice(Choice):
    """A net by kind."""

    registry = NETS
