"""Images made small, to be enlarged again."""

from math import ceil
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, images_only
from ae_pipelines.samples.spec import SampleSpec


@CORRUPTIONS.register("downscale")
class Downscale(Corruption):
    """Height and width become 1/`factor`, rounded up.

    `area` averages `factor` × `factor` pixels (where `factor` does not divide the sides, areas are as equal as possible
    and overlap by a pixel). `bicubic` weighs four times as many pixels per side (Keys 1981, with antialiasing), which
    keeps edges sharper: the "bicubic degradation" of papers on super-resolution.
    """

    random = False
    nothing = {"factor": 1}

    def __init__(self, *, factor: Annotated[int, Field(ge=1)] = 2, kernel: Literal["area", "bicubic"] = "area") -> None:
        self._factor, self._kernel = factor, kernel

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        channels, height, width = images_only(clean, "downscale").shape
        return clean.model_copy(update={"shape": (channels, *self._smaller(height, width))})

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        smaller = self._smaller(*target.shape[2:])
        if self._kernel == "area":
            return F.interpolate(target, smaller, mode="area")
        return F.interpolate(target, smaller, mode="bicubic", antialias=True).clamp(0, 1)

    def _smaller(self, height: int, width: int) -> tuple[int, int]:
        return ceil(height / self._factor), ceil(width / self._factor)
