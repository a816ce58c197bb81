"""Weights that were learned elsewhere, from a file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.regular_files import opened

INSIDE = ("state_dict", "model")
"""Where a file of torch's may keep its tensors, if they are not all that it holds."""
COUNTED = "num_batches_tracked"
"""How names of batch norm's counters end, which files may leave out: nothing here depends on them."""
NAMED = 3
"""How many tensors that do not fit a message names."""


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, of a safetensors file or one that torch wrote, without running any code in it; `InputError` if
    there is no file, or if it holds something else."""
    if not path.is_file():
        raise InputError(f"model.weights: there is no file {path}: give the path of one (.safetensors, .pth)")
    try:
        found = load_file(path) if path.suffix == ".safetensors" else _of_torch(path)
    except Exception as error:  # of a damaged file anything may be raised
        said = str(error).strip().partition("\n")[0]
        raise InputError(
            f"model.weights: {path} is damaged, or holds more than tensors ({type(error).__name__}: {said}): give a "
            "safetensors file, or one that torch.load reads with weights_only=True"
        ) from error
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(
            f"model.weights: {path} does not hold tensors by name: save model.state_dict(), and not the model"
        )
    return found


def _of_torch(path: Path) -> dict[str, Tensor]:
    found: Any = torch.load(path, map_location="cpu", weights_only=True)
    inside = [found[name] for name in INSIDE if isinstance(found, dict) and isinstance(found.get(name), dict)]
    return inside[0] if inside else dict(found)


def sha256(path: Path) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def give(layers: nn.Module, tensors: dict[str, Tensor], without: Sequence[str], path: Path, kind: str) -> None:
    """Make these the weights of `layers`, but for names that begin with one of `without`; `InputError` says which
    differ, if they are of another architecture."""
    own = layers.state_dict()
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(tuple(without))}
    missing = [name for name in own if name not in given and not name.endswith(COUNTED)]
    unknown = [name for name in given if name not in own]
    shapes = [
        f"{name} {tuple(given[name].shape)} in place of {tuple(own[name].shape)}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    faults = [
        f"{words} {first_of(names, NAMED)}"
        for words, names in [("it lacks", missing), ("only it has", unknown), ("other shapes:", shapes)]
        if names
    ]
    if faults:
        raise InputError(
            f"model.weights: {path} has not the weights of {kind}: {'; '.join(faults)}. Give a file of this "
            "architecture, or the architecture of this file"
        )
    layers.load_state_dict(given, strict=False)
