"""Single pixels that are lost: all channels of an image's pixel together, single values of a vector."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, bounded_only
from ae_pipelines.samples.spec import SampleSpec

Share = Annotated[float, Field(ge=0, le=1)]


@CORRUPTIONS.register("masking")
class Masking(Corruption):
    """Sets a `share` of the pixels to 0.

    Vincent et al. 2008, section 2.3; there exactly this share of each sample, here each pixel with this probability.
    """

    nothing = {"share": 0}

    def __init__(self, *, share: Share = 0.25) -> None:
        self._share = share

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        return target.masked_fill(one_draw_per_pixel(target, generator) < self._share, 0)


@CORRUPTIONS.register("salt_and_pepper")
class SaltAndPepper(Corruption):
    """Sets a `share` of the pixels to 0 or to 1, with equal chance. Vincent et al. 2010, section 3.3."""

    nothing = {"share": 0}

    def __init__(self, *, share: Share = 0.1) -> None:
        self._share = share

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        return bounded_only(clean, "salt_and_pepper")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        draw = one_draw_per_pixel(target, generator)
        return torch.where(draw < self._share, (draw < self._share / 2).to(target.dtype), target)


def one_draw_per_pixel(target: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1): (batch, 1, height, width) for images, (batch, features) for vectors."""
    shape = (len(target), 1, *target.shape[2:]) if target.ndim == 4 else target.shape
    return torch.rand(shape, generator=generator, device=target.device)
