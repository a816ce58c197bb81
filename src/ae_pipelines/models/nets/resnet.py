"""Residual nets for images of any height and width."""

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NETS, Latent
from ae_pipelines.models.nets.activations import ACTIVATIONS, Activation
from ae_pipelines.models.nets.norms import OF_IMAGES, Norm
from ae_pipelines.models.nets.resampling import UP, Mirrored, Size, Upsample, convolution, from_map, from_vector, halved

Channels = Annotated[int, Field(gt=0)]
Pooling = Literal["mean", "none"]


@NETS.register("resnet")
class ResNet(Mirrored):
    """A stage of residual blocks (He et al. 2016) for each width, each at half the height and width of the one before;
    then a 1 × 1 convolution and, for a vector, the mean over positions and a linear layer. The decoder mirrors it.

    An encoder's stage is convolution, norm, activation, blocks; a decoder's is the same with an upsampling convolution,
    and the last has nothing but that. The first stage halves the image at once, where ResNet-9 (Page 2018, "How to
    train your ResNet") keeps it: full resolution is what costs most on a CPU. Three widths leave 4 × 4 positions of an
    image of 32 × 32; give one more for each doubling of the size.
    """

    def __init__(
        self,
        *,
        widths: Annotated[list[Channels], Field(min_length=1)] = [32, 64, 128],  # noqa: B006
        blocks: Annotated[int, Field(ge=0)] = 1,
        stem_kernel: Literal[3, 5, 7] = 5,
        stem_stride: Literal[1, 2] = 2,
        head: Channels = 256,
        pooling: Pooling = "mean",
        last: Literal["linear", "none"] = "linear",
        upsample: Upsample = "pixel_shuffle",
        activation: Activation = "relu",
        norm: Norm = "batch",
        latent: Latent = "vector",
        decoder_blocks: Annotated[int, Field(ge=0)] | None = None,
    ) -> None:
        """`blocks` in each stage, also of the decoder unless `decoder_blocks` says otherwise; `head`: channels of the
        1 × 1 convolution; `pooling`: how its positions become a vector: their `mean`, or with `none` all of them, side
        by side, which keeps where things are; `last`: what follows it, a linear layer or, with `none`, nothing, so
        that there are as many outputs as values."""
        self.latent = latent
        self._widths, self._head, self._pooling, self._last = widths, head, pooling, last
        self._blocks, self._decoder_blocks = blocks, blocks if decoder_blocks is None else decoder_blocks
        self._kernel, self._stride = stem_kernel, stem_stride
        self._up, self._activation, self._norm = UP[upsample], ACTIVATIONS[activation], norm

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
        *_, small = self._sizes(shape)
        stem = self._convolution(shape[0], self._widths[0], self._kernel, self._stride)
        return nn.Sequential(
            self._stage([ChannelsLast(), stem], self._widths[0], self._blocks),
            *(self._stage([self._convolution(*step, 3, 2)], step[1], self._blocks) for step in pairwise(self._widths)),
            nn.Sequential(self._convolution(self._widths[-1], self._head, 1, 1), *self._normed(self._head)),
            self._to_latent(small, outputs),
        )

    def _decoder(self, inputs: int, shape: tuple[int, ...], given: Size) -> nn.Sequential:
        full, *sizes = self._sizes(shape)
        widths, sizes = self._widths[::-1], sizes[::-1]
        if self.latent == "map":
            first = from_map(inputs, self._head, given, sizes[0], self._bias)
        else:
            first = from_vector(inputs, self._head, sizes[0])
        return nn.Sequential(
            nn.Sequential(*first, ChannelsLast(), *self._normed(self._head)),
            self._stage([self._convolution(self._head, widths[0], 1, 1)], widths[0], self._decoder_blocks),
            *(
                self._stage(self._up(one, other, *ends, self._bias), other, self._decoder_blocks)
                for (one, other), ends in zip(pairwise(widths), pairwise(sizes), strict=True)
            ),
            nn.Sequential(*self._to_image(shape[0], sizes[-1], full)),
        )

    @property
    def _bias(self) -> bool:
        return self._norm != "batch"

    def _convolution(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=self._bias)

    def _normed(self, width: int) -> list[nn.Module]:
        return [*OF_IMAGES[self._norm](width), self._activation()]

    def _stage(self, layers: list[nn.Module], width: int, blocks: int) -> nn.Sequential:
        more = (Block(width, self._norm, self._activation) for _ in range(blocks))
        return nn.Sequential(*layers, *self._normed(width), *more)

    def _to_latent(self, size: Size, outputs: int) -> nn.Sequential:
        if self.latent == "map":
            return nn.Sequential(convolution(self._head, outputs))
        whole = self._pooling == "none"
        vector = [nn.Flatten()] if whole else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        values = self._head * prod(size) if whole else self._head
        if self._last == "linear":
            return nn.Sequential(*vector, nn.Linear(values, outputs))
        if values != outputs:
            raise InputError(
                f"a resnet with last=none gives {values} values, but {outputs} are wanted: give model.net.head so "
                "many, as many model.features or latents as it gives, or last=linear"
            )
        return nn.Sequential(*vector)

    def _to_image(self, channels: int, before: Size, after: Size) -> list[nn.Module]:
        """The last convolution, which undoes the stem."""
        width = self._widths[0]
        if self._stride == 1:
            return [nn.Conv2d(width, channels, self._kernel, padding=self._kernel // 2)]
        return self._up(width, channels, before, after, True)

    def _sizes(self, shape: tuple[int, ...]) -> list[Size]:
        """(height, width) before the first stage and after each that changes it, the stem's included."""
        full, *halves = halved(shape, len(self._widths) - (self._stride == 1), net="resnet")
        return [full, *halves] if self._stride == 2 else [full, full, *halves]


class Block(nn.Module):
    """activation(x + norm(convolution(activation(norm(convolution(x)))))), both 3 × 3 and of x's width (He et al. 2016,
    fig. 2). Without a norm the last convolution starts at zero, so that depth does not make the values grow."""

    def __init__(self, width: int, norm: Norm, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        first, last = (convolution(width, width, bias=norm != "batch") for _ in range(2))
        if norm == "none":
            for start in last.parameters():
                nn.init.zeros_(start)
        after = OF_IMAGES[norm]
        self.branch = nn.Sequential(first, *after(width), activation(), last, *after(width))
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.branch(x))


class ChannelsLast(nn.Module):
    """The same values (batch, channels, height, width), with those of one position side by side in memory. What
    convolutions, norms and activations make of it stays so. A training step is a sixth shorter (CPU, float32; a tenth
    in bfloat16); weights laid out alike would make no difference."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)
