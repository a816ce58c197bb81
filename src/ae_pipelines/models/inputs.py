"""Samples as they are stored become a model's inputs, in torch; `SampleSpec.as_input` does the same in numpy."""

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.samples.spec import SampleSpec, Scaling


def as_tensor(stored: np.ndarray) -> Tensor:
    """Stored samples as torch can index them on every device: uint16 as int16 with the same bits."""
    return torch.from_numpy(stored.view(np.int16) if stored.dtype == np.uint16 else stored)


def as_input(stored: Tensor, scaling: Scaling) -> Tensor:
    """float32 inputs of stored values, or of `as_tensor`'s; the very same tensor where there is nothing to do."""
    x = (stored.view(torch.uint16) if stored.dtype == torch.int16 else stored).to(torch.float32)
    if scaling.offset:
        x.sub_(scaling.offset)
    if scaling.scale != 1.0:
        x.mul_(scaling.scale)
    return x.clamp_(0, 1) if scaling.clip else x


def inputs(stored: np.ndarray, spec: SampleSpec, device: torch.device | None = None) -> Tensor:
    """float32 inputs of stored samples, on the device (None: the CPU)."""
    tensor = as_tensor(stored)
    return as_input(tensor if device is None else tensor.to(device), spec.scaling)
