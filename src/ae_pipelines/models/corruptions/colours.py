"""Images that are brighter, flatter, more colourful or of another hue."""

from functools import cache
from math import pi, sqrt
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, bounded_only, images_only
from ae_pipelines.models.corruptions.greyscale import LUMA
from ae_pipelines.samples.spec import SampleSpec

Share = Annotated[float, Field(ge=0, le=1)]


@CORRUPTIONS.register("colours")
class Colours(Corruption):
    """Changes brightness, contrast, hue and saturation of each image, in this order, and clips the result to [0, 1].

    Each but hue is a factor, uniform in 1 ± its range: of all values; of the distances from the image's mean luma; of
    those from each pixel's own luma. `hue` turns colours about the grey axis by ± this share of a full turn. All of
    these happen with `probability`; with the probability `grey`, too, a pixel becomes its luma. Images that do not have
    three channels change brightness and contrast alone. Chen et al. 2020, appendix A, of half the strength. Departures:
    the order is fixed, hue turns in RGB instead of HSV, and there is one clipping, so that all is one matrix a sample.
    """

    nothing = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "grey": 0}

    def __init__(
        self,
        *,
        brightness: Share = 0.4,
        contrast: Share = 0.4,
        saturation: Share = 0.4,
        hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1,
        probability: Share = 0.8,
        grey: Share = 0.2,
    ) -> None:
        self._ranges = (brightness, contrast, saturation, hue)
        self._probability, self._grey = probability, grey
        self._still = not (probability and any(self._ranges)) and not grey

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        return bounded_only(images_only(clean, "colours"), "colours")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        if self._still:  # sums would round
            return target
        chance, grey, *draws = torch.rand(6, len(target), generator=generator, device=target.device)
        happens = (chance < self._probability).to(target.dtype)
        amounts = (range_ * happens * (2 * draw - 1) for range_, draw in zip(self._ranges, draws, strict=True))
        brightness, contrast, saturation, hue = amounts
        saturation = torch.where(grey < self._grey, 0, 1 + saturation)
        return recoloured(target, 1 + brightness, 1 + contrast, saturation, 2 * pi * hue).clamp_(0, 1)


def recoloured(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Each image (batch, channels, height, width) times its brightness and contrast, its colours turned about the grey
    axis by `hue` (radians), and made stronger by its saturation; each amount is (batch,)."""
    flat = images.flatten(2)  # (batch, channels, pixels)
    factor, means = (brightness * contrast)[:, None, None], flat.mean(2, keepdim=True)
    if images.shape[1] == 3:
        luma = _luma(images.dtype, images.device)
        offset = brightness * (1 - contrast) * (means[..., 0] @ luma)
        # grey stays what it is under both matrices, so the offset may be added after them
        matrix = factor * (_saturating(saturation, luma) @ _turning(hue))
        made = torch.baddbmm(offset[:, None, None], matrix, flat)
    else:
        offset = (brightness * (1 - contrast))[:, None, None] * means.mean(1, keepdim=True)
        made = torch.addcmul(offset, factor, flat)
    return made.reshape_as(images)


@cache
def _luma(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Copied once: each copy to a GPU would wait for it."""
    return torch.tensor(LUMA, dtype=dtype, device=device)


def _saturating(saturation: Tensor, luma: Tensor) -> Tensor:
    """Matrices (batch, 3, 3) that keep each colour's luma and multiply its distance from it."""
    own = torch.eye(3, dtype=luma.dtype, device=luma.device)
    return saturation[:, None, None] * own + (1 - saturation)[:, None, None] * luma.expand(3, 3)


def _turning(angle: Tensor) -> Tensor:
    """Matrices (batch, 3, 3) that turn RGB about its grey axis by `angle` (radians), from red to green (Rodrigues)."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    own = torch.eye(3, dtype=angle.dtype, device=angle.device)
    next_colour = own.roll(1, 0)  # red goes to green, green to blue, blue to red
    return cos * own + (1 - cos) / 3 + sin / sqrt(3) * (next_colour - next_colour.mT)
