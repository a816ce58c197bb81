"""Encoder and decoder families; a net makes both halves for any sample shape."""

from typing import Literal, Protocol

from torch import nn

from ae_pipelines.base.registry import Choice, Registry

NETS = Registry("net", __name__)

Latent = Literal["vector", "map"]


class Net(Protocol):
    """A family of encoders and decoders, each a sequence of stages: one child is one level of depth.

    Made for one shape, both halves have the same number of stages, n, and decoder[n - 1 - i] maps the output of
    encoder[i] back to the shape of its input. Every stage ends in the activation (and dropout, if any), except the
    last of each half, which ends in a plain linear layer or convolution: latents and raw values have no bounds.
    """

    latent: Latent
    """What encoders give: a vector (batch, outputs), or a map (batch, outputs, height, width)."""

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
        """(batch, *shape) → (batch, outputs) or (batch, outputs, height, width)"""

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Sequential:
        """(batch, inputs) or (batch, inputs, height, width) → raw values (batch, *shape), before any activation"""

    def pair(
        self, input_shape: tuple[int, ...], latent_size: int, output_shape: tuple[int, ...]
    ) -> tuple[nn.Sequential, nn.Sequential]:
        """An encoder for `input_shape`, and a decoder from its latents to `output_shape`; they may share weights."""


class NetChoice(Choice):
    """A net by kind."""

    registry = NETS

    @property
    def flat(self) -> bool:
        """Whether its encoders take values in no order, so that they do not know which pixels are neighbours: what its
        maker says in an attribute `flat`."""
        return getattr(self.registry.maker(self.kind), "flat", False)
