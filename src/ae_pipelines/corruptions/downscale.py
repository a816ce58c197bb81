"""Small images, to be made large again."""

from math import ceil
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.contract import SampleSpec
from ae_pipelines.corruptions import CORRUPTIONS, images_only


@CORRUPTIONS.register("downscale")
class Downscale:
    """Averages areas of `factor` × `factor` pixels: height and width become 1/`factor`, rounded up.

    Where `factor` does not divide them, areas are as equal as can be and overlap by a pixel.
    """

    def __init__(self, *, factor: Annotated[int, Field(ge=1)] = 2) -> None:
        self._factor = factor

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        channels, height, width = images_only(clean, "downscale").shape
        return clean.model_copy(update={"shape": (channels, *self._smaller(height, width))})

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        return F.interpolate(target, self._smaller(*target.shape[2:]), mode="area")

    def _smaller(self, height: int, width: int) -> tuple[int, int]:
        return ceil(height / self._factor), ceil(width / self._factor)
