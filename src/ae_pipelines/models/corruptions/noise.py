"""Additive noise."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, bounded_only
from ae_pipelines.samples.spec import SampleSpec


@CORRUPTIONS.register("gaussian_noise")
class GaussianNoise(Corruption):
    """Adds normal noise of standard deviation `noise_level`, in units of the input.

    `clip` clips the result to [0, 1]. Vincent et al. 2010, section 3.3.
    """

    nothing = {"noise_level": 0}

    def __init__(self, *, noise_level: Annotated[float, Field(ge=0)] = 0.3, clip: bool = False) -> None:
        self._noise_level, self._clip = noise_level, clip
        self.keeps_bounds = clip

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        return bounded_only(clean, "gaussian_noise with clip") if self._clip else clean

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(target.shape, generator=generator, device=target.device)
        noisy = target.add(noise, alpha=self._noise_level)
        return noisy.clamp_(0, 1) if self._clip else noisy
