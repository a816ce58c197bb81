"""Parts of images, enlarged to the size of the whole, and mirrored."""

from math import log
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, images_only
from ae_pipelines.samples.spec import SampleSpec

Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


@CORRUPTIONS.register("crop")
class Crop(Corruption):
    """A random rectangle of each image becomes the whole image, with bilinear interpolation (Szegedy et al. 2015).

    `scale`: the smallest and the largest share of the image's area; `ratio`: the same of its width ÷ height, relative
    to the image's, drawn on a logarithmic scale; `flip`: how probably left and right change places; `size`: the shorter
    side of what comes out, in pixels, the image's own if none. Clean samples, such as those to embed, are then resized
    as a whole. Departure: a side that is longer than the image is cut, where torchvision draws again.
    """

    nothing = {"scale": (1, 1), "ratio": (1, 1), "flip": 0}

    def __init__(
        self,
        *,
        scale: tuple[PositiveShare, PositiveShare] = (0.2, 1.0),
        ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3),
        flip: Share = 0.5,
        size: Annotated[int, Field(gt=0)] | None = None,
    ) -> None:
        for name, (smallest, largest) in (("scale", scale), ("ratio", ratio)):
            if smallest > largest:
                raise InputError(f"crop takes a {name} from small to large, given [{smallest}, {largest}]: turn it")
        self._scale, self._ratio, self._flip, self._size = scale, ratio, flip, size
        self._still = (*scale, *ratio, flip) == (1, 1, 1, 1, 0)

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        channels, height, width = images_only(clean, "crop").shape
        return clean.model_copy(update={"shape": (channels, *self._sides(height, width))})

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        if self._still:  # interpolation would round
            return self.reshaped(target, generator)
        height, width = target.shape[2:]
        area, ratio, right, down, flip = torch.rand(5, len(target), generator=generator, device=target.device)
        ratio = _between(log(self._ratio[0]), log(self._ratio[1]), ratio).exp()
        area = _between(*self._scale, area)
        across, along = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        right, down = (2 * right - 1) * (1 - across), (2 * down - 1) * (1 - along)
        return seen_through(
            target, right, down, torch.where(flip < self._flip, -across, across), along, self._sides(height, width)
        )

    def reshaped(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        height, width = clean.shape[2:]
        sides = self._sides(height, width)
        if sides == (height, width):
            return clean
        return _resizing(height, sides[0], clean) @ clean @ _resizing(width, sides[1], clean).mT

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        if self._size is None:
            return height, width
        shorter = min(height, width)
        return round(height * self._size / shorter), round(width * self._size / shorter)


def seen_through(
    images: Tensor, right: Tensor, down: Tensor, across: Tensor, along: Tensor, sides: tuple[int, int]
) -> Tensor:
    """Rectangles of images (batch, channels, height, width), with `sides` (height, width) in pixels: their centres lie
    `right` and `down` of the images', and they are `across` wide (mirrored if negative) and `along` high, all as shares
    of the images' sides; centres in halves of these, each (batch,)."""
    height, width = sides
    # where each pixel comes from, in halves of the image's sides; a fifth of the time of affine_grid
    grid = torch.empty(len(images), height, width, 2, device=images.device)
    grid[..., 0] = (right[:, None] + across[:, None] * _places(width, images.device))[:, None, :]
    grid[..., 1] = (down[:, None] + along[:, None] * _places(height, images.device))[:, :, None]
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _places(length: int, device: torch.device) -> Tensor:
    """Centres of pixels along a side, from -1 to 1."""
    return (2 * torch.arange(length, device=device) + 1) / length - 1


def _between(low: float, high: float, share: Tensor) -> Tensor:
    return low + (high - low) * share


def _resizing(before: int, after: int, like: Tensor) -> Tensor:
    """Weights (after, before) of pixels along a side: bilinear, with antialiasing where it becomes shorter."""
    pixel = torch.arange(before, device=like.device)
    centre = (torch.arange(after, device=like.device)[:, None] + 0.5) * (before / after) - 0.5
    weights = (1 - (pixel - centre).abs() / max(1, before / after)).clamp(min=0)
    return (weights / weights.sum(1, keepdim=True)).to(like.dtype)
