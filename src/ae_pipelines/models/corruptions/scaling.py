"""Louder and softer samples."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption


@CORRUPTIONS.register("scaling")
class Scaling(Corruption):
    """Multiplies each sample by a factor of its own, normal about 1 with the standard `deviation` (Um et al. 2017).

    For series; images become brighter without bounds, so they rather take colours.
    """

    nothing = {"deviation": 0}
    keeps_bounds = False

    def __init__(self, *, deviation: Annotated[float, Field(ge=0)] = 0.1) -> None:
        self._deviation = deviation

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        shape = (len(target), *[1] * (target.ndim - 1))
        return target * (1 + self._deviation * torch.randn(shape, generator=generator, device=target.device))
