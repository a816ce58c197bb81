"""A net from image to image, of any height and width."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.models.nets.conv import Residual
from ae_pipelines.models.nets.resampling import convolution


class UNet(nn.Module):
    """(batch, inputs, height, width) → raw values (batch, outputs, enlarge · height, enlarge · width).

    A U-Net (Ronneberger et al. 2015) of residual blocks: `halvings` levels, the first at half the output's
    resolution, each with half the resolution and twice the channels of the one before, and `blocks` blocks on the way
    down and again on the way up. Departures: skip connections are added, not appended; the full resolution is reached
    by sub-pixel convolution alone (Shi et al. 2016) and left by its inverse (Zhang et al. 2018, FFDNet), which on a CPU
    takes a quarter of the time of convolutions there.
    """

    def __init__(self, inputs: int, outputs: int, *, enlarge: int, width: int, blocks: int, halvings: int) -> None:
        super().__init__()
        self._enlarge = enlarge
        self._fold = 2 if enlarge == 1 else 1
        self._multiple = self._fold * 2 ** (halvings - 1)
        widths = [width * 2**level for level in range(halvings)]
        self.first = convolution(inputs * self._fold**2, width)
        self.down = nn.ModuleList(_blocks(channels, blocks) for channels in widths)
        self.shrink = nn.ModuleList(convolution(channels, 2 * channels, stride=2) for channels in widths[:-1])
        self.grow = nn.ModuleList(convolution(2 * channels, 4 * channels) for channels in widths[:-1])
        self.up = nn.ModuleList(_blocks(channels, blocks) for channels in widths[:-1])
        self.last = convolution(width, outputs * (enlarge * self._fold) ** 2)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = F.pixel_unshuffle(self._padded(x), self._fold).contiguous(memory_format=torch.channels_last)
        x = self._level(self.first(x), 0)
        x = F.pixel_shuffle(self.last(x), self._enlarge * self._fold)
        return x[..., : self._enlarge * height, : self._enlarge * width]

    def _level(self, x: Tensor, level: int) -> Tensor:
        """Output of this level and those below it for x, in x's shape."""
        x = self.down[level](x)
        if level == len(self.shrink):
            return x
        below = self._level(self.shrink[level](x), level + 1)
        return self.up[level](x + F.pixel_shuffle(self.grow[level](below), 2))

    def _padded(self, x: Tensor) -> Tensor:
        """x with more rows below and columns on the right, so that every level halves without remainder."""
        height, width = x.shape[2:]
        more = (0, -width % self._multiple, 0, -height % self._multiple)
        # What is reflected must lie inside; tiny images have their edge repeated instead.
        mode = "reflect" if more[1] < width and more[3] < height else "replicate"
        return F.pad(x, more, mode=mode) if any(more) else x


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width, "none", nn.ReLU()) for _ in range(count)), nn.ReLU())
