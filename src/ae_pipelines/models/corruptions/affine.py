"""Images that are moved, turned, resized and slanted a little."""

from math import radians
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, images_only
from ae_pipelines.samples.spec import SampleSpec

Outside = Literal["zero", "border"]
PADDING: dict[Outside, str] = {"zero": "zeros", "border": "border"}


@CORRUPTIONS.register("affine")
class Affine(Corruption):
    """Shifts, turns, scales and shears each image about its centre, with bilinear interpolation.

    Each amount is uniform in ± its range: `shift` along both axes, in pixels, or, by `shift_unit`, as a share of the
    image's height and width; `rotation` in degrees; `scaling` as a share of the image's size; `shear` in pixels to the
    right for each pixel down. What comes in from `outside` is 0, or repeats the image's border, for images whose
    background is not black. Since the target is not moved, an
    autoencoder learns to undo all this, and its latents become independent of it.
    """

    nothing = {"shift": 0, "rotation": 0, "scaling": 0, "shear": 0}

    def __init__(
        self,
        *,
        shift: Annotated[float, Field(ge=0)] = 2.0,
        rotation: Annotated[float, Field(ge=0, le=180)] = 15.0,
        scaling: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        shear: Annotated[float, Field(ge=0)] = 0.1,
        outside: Outside = "zero",
        shift_unit: Literal["pixels", "share"] = "pixels",
    ) -> None:
        if shift_unit == "share" and shift > 1:
            raise InputError(
                f"affine takes a share of the image as shift, given {shift}: give at most 1, or shift_unit pixels"
            )
        self._ranges = torch.tensor([shift, shift, radians(rotation), scaling, shear])[:, None]
        self._still = not self._ranges.any()
        self._kept: dict[torch.device, Tensor] = {}
        self._outside: Outside = outside
        self._relative = shift_unit == "share"

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        return images_only(clean, "affine")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        if self._still:  # interpolation would round
            return target
        draws = torch.rand(len(self._ranges), len(target), generator=generator, device=target.device)
        right, down, angle, scaling, shear = draws.mul_(2).sub_(1).mul_(self._ranges_on(target.device))
        if self._relative:
            right, down = right * target.shape[3], down * target.shape[2]
        return moved(target, right, down, angle, 1 + scaling, shear, self._outside)

    def _ranges_on(self, device: torch.device) -> Tensor:
        """Copied once: each copy to a GPU would wait for it."""
        if device not in self._kept:
            self._kept[device] = self._ranges.to(device)
        return self._kept[device]


def moved(
    images: Tensor, right: Tensor, down: Tensor, angle: Tensor, scale: Tensor, shear: Tensor, outside: Outside
) -> Tensor:
    """Each image (batch, channels, height, width) sheared, scaled, turned counterclockwise by `angle` (radians), all
    about its centre, and then shifted `right` and `down` (pixels); each amount is (batch,)."""
    height, width = images.shape[2:]
    x = (_from_the_centre(width, images.device) - right[:, None])[:, None, :]  # (batch, 1, width)
    y = (_from_the_centre(height, images.device) - down[:, None])[:, :, None]  # (batch, height, 1)
    cos, sin = (turn[:, None, None] for turn in (angle.cos() / scale, angle.sin() / scale))
    slant = shear[:, None, None]
    # the inverse: where each pixel comes from, in halves of the image's sides
    grid = torch.empty(len(images), height, width, 2, device=images.device)
    torch.add((cos - slant * sin) * (2 / width) * x, (-sin - slant * cos) * (2 / width) * y, out=grid[..., 0])
    torch.add(sin * (2 / height) * x, cos * (2 / height) * y, out=grid[..., 1])
    return F.grid_sample(images, grid, padding_mode=PADDING[outside], align_corners=False)


def _from_the_centre(length: int, device: torch.device) -> Tensor:
    """Offset of each pixel along a side, in pixels."""
    return torch.arange(length, device=device) - (length - 1) / 2
