"""Images out of focus."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, images_only
from ae_pipelines.samples.spec import SampleSpec

SHARP = 1e-3
"""A standard deviation, in pixels, at which the neighbours' weights are 0."""
NOTHING_LEFT = 1e-12
"""A weight, as a share of the middle's, that counts as 0."""

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


@CORRUPTIONS.register("blur")
class Blur(Corruption):
    """Blurs images by a Gaussian with a `probability`; its standard deviation is uniform in `sigma`, in pixels.

    Chen et al. 2020, appendix A, for images of 224 pixels. Near the border the weights of the pixels inside are raised
    to a sum of 1.
    """

    nothing = {"probability": 0}

    def __init__(self, *, sigma: tuple[Positive, Positive] = (0.1, 2.0), probability: Share = 0.5) -> None:
        if sigma[0] > sigma[1]:
            raise InputError(f"blur takes a sigma from small to large, given [{sigma[0]}, {sigma[1]}]: turn it")
        self._sigma, self._probability = sigma, probability

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        return images_only(clean, "blur")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        if not self._probability:
            return target
        chance, share = torch.rand(2, len(target), generator=generator, device=target.device)
        sigma = self._sigma[0] + (self._sigma[1] - self._sigma[0]) * share
        return blurred(target, torch.where(chance < self._probability, sigma, SHARP))


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Each image (batch, channels, height, width) blurred with its own standard deviation (batch,), in pixels."""
    channels, height, width = images.shape[1:]
    rows = images.flatten(1, 2) @ _weights(width, sigma).mT  # (batch, channels * height, width)
    return _weights(height, sigma)[:, None].expand(-1, channels, -1, -1) @ rows.reshape_as(images)


def _weights(length: int, sigma: Tensor) -> Tensor:
    """Of each pixel along a side, in each pixel of the blurred side: (batch, blurred, length)."""
    distance = torch.arange(length, device=sigma.device)
    by_distance = torch.exp(distance.square() / (-2 * sigma.square())[:, None])
    by_distance = F.threshold(by_distance, NOTHING_LEFT, 0)  # CPUs are slow on denormal numbers
    between = (distance[:, None] - distance).abs().flatten()
    weights = by_distance.index_select(1, between).view(-1, length, length)
    return weights / weights.sum(2, keepdim=True)
