"""Additive noise."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.batches import Corrupt
from ae_pipelines.corruptions import CORRUPTIONS


@CORRUPTIONS.register("gaussian_noise")
def gaussian_noise(*, noise_level: Annotated[float, Field(ge=0)] = 0.3) -> Corrupt:
    """Adds normal noise of standard deviation `noise_level`, in units of the input; no clipping.

    Vincent et al. 2010, section 3.3.
    """

    def corrupt(target: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(target.shape, generator=generator, device=target.device)
        return target.add(noise, alpha=noise_level)

    return corrupt
