"""Tensors and the contract they were trained under, in one file that is checked when it is read.

On disk: `weights.safetensors`, which carries the contract in its header and so is complete by itself, and
`contract.json`, the same text for people and other tools.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.models.contract import Contract

WEIGHTS = "weights.safetensors"


def write(folder: Path, tensors: dict[str, Tensor], contract: Contract) -> None:
    """Write both; the old ones stay until the new weights are complete."""
    text = contract.model_dump_json(indent=2)
    with seals.replacing(folder / WEIGHTS) as temporary:
        temporary.write_bytes(serialise(copies(tensors), metadata={"contract": text}))
    atomic.write_text(folder / "contract.json", text)


def read(folder: Path) -> tuple[dict[str, Tensor], Contract]:
    """What `write` wrote; `InputError` if nothing is there, or if a bit of it has changed."""
    path = folder / WEIGHTS
    if not path.exists():
        raise InputError(f"no trained model in {folder}: train one first", stages=("train",))
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = metadata["contract"]
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is damaged or not a weights file of ours: {error}") from error
    try:
        contract = Contract(**json.loads(text))
    except ValueError as error:
        raise InputError(f"{path} is damaged (its contract cannot be read: {error})") from error
    if sealed(contract, tensors) != contract:
        raise InputError(f"{path} is damaged (its sha256 differs): restore it or train again")
    return tensors, contract


def sealed(contract: Contract, tensors: dict[str, Tensor]) -> Contract:
    """`contract` with the sha256 of everything else in it and of the tensors."""
    # Left out where there is none, so that files from before these fields stay valid.
    absent = {name for name in ("initial_encoder", "vector_size", "elsewhere") if getattr(contract, name) is None}
    text = contract.model_dump_json(exclude={"sha256", *absent})
    return contract.model_copy(update={"sha256": tensors_sha256(tensors, text)})


def tensors_sha256(tensors: dict[str, Tensor], text: str = "") -> str:
    """Hash of a text and of names, dtypes, shapes and bytes of the tensors, sorted by name."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each in memory of its own, which safetensors requires and tied weights do not have."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
