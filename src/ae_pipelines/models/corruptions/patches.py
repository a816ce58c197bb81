"""Holes to be filled in."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, images_only
from ae_pipelines.samples.spec import SampleSpec


@CORRUPTIONS.register("patches")
class Patches(Corruption):
    """Sets `count` squares in each image to `fill`, wholly inside it; they may overlap.

    Their side is the share `size` of the image's shorter side, rounded to whole pixels, at least one.
    Pathak et al. 2016, section 3.3 (random block).
    """

    nothing = {"count": 0}

    def __init__(
        self,
        *,
        count: Annotated[int, Field(ge=0)] = 1,
        size: Annotated[float, Field(gt=0, le=1)] = 0.4,
        fill: float = 0.0,
    ) -> None:
        self._count, self._size, self._fill = count, size, fill

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        if clean.bounded and not 0 <= self._fill <= 1:
            raise InputError(f"patches of images with values in [0, 1] take a fill in [0, 1], given {self._fill}")
        return images_only(clean, "patches")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        height, width = target.shape[2:]
        side = max(1, round(self._size * min(height, width)))
        rows = self._runs(target, height, side, generator)
        columns = self._runs(target, width, side, generator)
        inside = rows.mT @ columns > 0  # (batch, height, width)
        return target.masked_fill(inside[:, None], self._fill)

    def _runs(self, target: Tensor, length: int, side: int, generator: torch.Generator) -> Tensor:
        """1 along `side` pixels from a random start on, else 0: (batch, count, length)."""
        shape, device = (len(target), self._count, 1), target.device
        start = torch.randint(length - side + 1, shape, generator=generator, device=device)
        place = torch.arange(length, device=device)
        return ((place >= start) & (place < start + side)).float()
