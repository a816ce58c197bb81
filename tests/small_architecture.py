"""An architecture in which all is small, for tests: its package is a file that is made when it is first asked for."""

import tempfile
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from ae_pipelines.models.architectures import ARCHITECTURES, Architecture, Packaged

SMALL = {"architecture": {"kind": "small"}, "size": 16}
"""Options of a pretrained model with it."""


@ARCHITECTURES.register("small")
class Small(Architecture):
    """12 features; `classifier` is what it does without."""

    mean, deviation = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    without = ("classifier.",)

    def layers(self, size: int) -> nn.Module:
        first = [nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()]
        last = [nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*first, *last)

    def packaged(self) -> Packaged:
        return Packaged(_folder() / "small.safetensors", "small 1.0", "pictures and their labels")


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="small_architecture"))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        tensors = Small().layers(16).state_dict()
    save_file(tensors | {"classifier.weight": torch.zeros(10, 12)}, folder / "small.safetensors")
    return folder
