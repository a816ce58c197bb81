"""Convolutional nets for images of any height and width."""

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.models.nets import NETS, Latent
from ae_pipelines.models.nets.activations import ACTIVATIONS, Activation
from ae_pipelines.models.nets.norms import OF_IMAGES, Norm
from ae_pipelines.models.nets.resampling import (
    DOWN,
    UP,
    Downsample,
    Mirrored,
    Size,
    Upsample,
    convolution,
    from_map,
    from_vector,
    halved,
)

Channels = Annotated[int, Field(gt=0)]


@NETS.register("conv")
class Conv(Mirrored):
    """3 × 3 convolutions that halve height and width, then one layer to the latent; the decoder mirrors it.

    An encoder's stage is convolution (and pooling), norm, residual blocks, activation; a decoder's is residual
    blocks, upsampling convolution, norm, activation. As in DCGAN (Radford et al. 2016) the stages next to the
    image have no norm. A `vector` latent comes from and goes into a linear layer, a `map` from and into a
    3 × 3 convolution; a pair whose map is smaller or larger than its decoder expects resizes it (nearest).
    """

    def __init__(
        self,
        *,
        channels: Annotated[list[Channels], Field(min_length=1)] = [32, 64],  # noqa: B006
        downsample: Downsample = "stride",
        upsample: Upsample = "transposed",
        activation: Activation = "relu",
        norm: Norm = "none",
        residual_blocks: Annotated[int, Field(ge=0)] = 0,
        latent: Latent = "vector",
    ) -> None:
        self.latent = latent
        self._channels, self._residual_blocks = channels, residual_blocks
        self._down, self._up = DOWN[downsample], UP[upsample]
        self._activation, self._norm = ACTIVATIONS[activation], norm

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
        *_, small = self._sizes(shape)
        first, *others = pairwise([shape[0], *self._channels])
        return nn.Sequential(
            self._halving(*first, "none"),
            *(self._halving(*widths, self._norm) for widths in others),
            self._to_latent(small, outputs),
        )

    def _decoder(self, inputs: int, shape: tuple[int, ...], given: Size) -> nn.Sequential:
        sizes = self._sizes(shape)[::-1]
        *others, last = zip(pairwise([*reversed(self._channels), shape[0]]), pairwise(sizes), strict=True)
        return nn.Sequential(
            self._from_latent(inputs, given, sizes[0]),
            *(nn.Sequential(*self._doubling(*step, self._norm), self._activation()) for step in others),
            nn.Sequential(*self._doubling(*last, "none")),
        )

    def _halving(self, inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
        down = self._down(inputs, outputs, norm != "batch")
        return nn.Sequential(*down, *OF_IMAGES[norm](outputs), *self._blocks(outputs, norm), self._activation())

    def _doubling(self, widths: tuple[int, int], sizes: tuple[Size, Size], norm: Norm) -> list[nn.Module]:
        up = self._up(*widths, *sizes, norm != "batch")
        return [*self._blocks(widths[0], norm), *up, *OF_IMAGES[norm](widths[1])]

    def _to_latent(self, size: Size, outputs: int) -> nn.Sequential:
        width = self._channels[-1]
        if self.latent == "map":
            return nn.Sequential(convolution(width, outputs))
        return nn.Sequential(nn.Flatten(), nn.Linear(width * prod(size), outputs))

    def _from_latent(self, inputs: int, given: Size, size: Size) -> nn.Sequential:
        width = self._channels[-1]
        if self.latent == "map":
            layers = from_map(inputs, width, given, size, self._norm != "batch")
        else:
            layers = from_vector(inputs, width, size)
        return nn.Sequential(*layers, *OF_IMAGES[self._norm](width), self._activation())

    def _blocks(self, width: int, norm: Norm) -> list[nn.Module]:
        return [Residual(width, norm, self._activation()) for _ in range(self._residual_blocks)]

    def _sizes(self, shape: tuple[int, ...]) -> list[Size]:
        """(height, width) before the first stage and after each."""
        return halved(shape, len(self._channels), net="conv")


class Residual(nn.Module):
    """x + convolution(activation(norm(convolution(x)))), both 3 × 3 and of x's width.

    He et al. 2016, fig. 2, without the activation after the sum: a stage has one at its end. The last convolution
    starts at zero, so a fresh block is the identity (Goyal et al. 2017, section 5.1, do so with the last norm).
    """

    def __init__(self, width: int, norm: Norm, activation: nn.Module) -> None:
        super().__init__()
        last = convolution(width, width)
        for start in last.parameters():
            nn.init.zeros_(start)
        first = convolution(width, width, bias=norm != "batch")
        self.branch = nn.Sequential(first, *OF_IMAGES[norm](width), activation, last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
