"""Values that come from other samples."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption
from ae_pipelines.models.corruptions.pixels import one_draw_per_pixel

Share = Annotated[float, Field(ge=0, le=1)]


@CORRUPTIONS.register("cut_mix")
class CutMix(Corruption):
    """Replaces a `share` of the values by those that other samples of the batch have there, each by another's.

    Bahri et al. 2022 (SCARF), section 3; there exactly this share of each sample, here each value with this
    probability, and the values of one category are replaced one by one. All channels of an image's pixel go together.
    """

    nothing = {"share": 0}

    def __init__(self, *, share: Share = 0.6) -> None:
        self._share = share

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        batch = len(target)
        draw = one_draw_per_pixel(target, generator)
        ahead = torch.randint(1, max(batch, 2), draw.shape, generator=generator, device=target.device)
        own = torch.arange(batch, device=target.device).reshape(-1, *[1] * (target.ndim - 1))
        others = target.gather(0, ((own + ahead) % batch).expand_as(target))
        return torch.where(draw < self._share, others, target)
