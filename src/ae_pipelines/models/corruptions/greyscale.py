"""Images without their colours."""

import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption
from ae_pipelines.samples.spec import SampleSpec

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601-7, section 2.5.1), as in Pillow's mode L."""


@CORRUPTIONS.register("greyscale")
class Greyscale(Corruption):
    """RGB becomes one channel, its luma."""

    random = False

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        if len(clean.shape) != 3 or clean.shape[0] != 3:
            raise InputError(
                f"greyscale takes images of 3 channels, given {clean.shape}: leave it out, or train on colour images"
            )
        return clean.model_copy(update={"shape": (1, *clean.shape[1:])})

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        red, green, blue = target.split(1, dim=1)
        return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])  # (batch, 1, height, width)
