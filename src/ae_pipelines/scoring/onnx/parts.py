"""The parts of an ONNX file: for each type of fitted part a module that does the same."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError

Table = Mapping[type, Callable[[Any], nn.Module]]
"""Makers of modules, by the type of the fitted part."""


class NoModuleError(InputError):
    """A part has no module in this room, so the scorer cannot be exported."""


def module_of(fitted: Any, table: Table, noun: str) -> nn.Module:
    """The module of a fitted part; `NoModuleError` names the part if there is none."""
    if (maker := table.get(type(fitted))) is None:
        known = ", ".join(sorted(kind.__name__ for kind in table))
        raise NoModuleError(
            f"the {noun} {type(fitted).__name__} ({type(fitted).__module__}) has no ONNX module; those that have one: "
            f"{known}. Add one to ae_pipelines.scoring.onnx, or choose another kind"
        )
    return maker(fitted)


def tensor(values: np.ndarray | float, dtype: torch.dtype = torch.float32) -> Tensor:
    """A copy of `values`."""
    return torch.as_tensor(np.array(values)).to(dtype)
