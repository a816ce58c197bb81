"""Tensors and the contract they were trained under, in one file that is checked when it is read.

On disk: `weights.safetensors`, which carries the contract in its header and so is complete by itself, and
`contract.json`, the same text for people and other tools.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor
from torch.nn.modules.module import register_module_parameter_registration_hook

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import regular
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Contract
from ae_pipelines.models.method import keep_half

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
        with safe_open(regular(path), framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            names = [*file.keys()]
            contract = _contract(path, metadata["contract"])
            _refuse_other_layers(path, contract, {name: tuple(file.get_slice(name).get_shape()) for name in names})
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, KeyError) as error:
        raise InputError(f"{path} is damaged or not a weights file of ours: {error}") from error
    if sealed(contract, tensors) != contract:
        raise InputError(f"{path} is damaged (its sha256 differs): restore it or train again")
    return tensors, contract


def _contract(path: Path, text: str) -> Contract:
    try:
        return Contract(**json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged (its contract cannot be read: {reason})") from error


def _refuse_other_layers(path: Path, contract: Contract, shapes: dict[str, tuple[int, ...]]) -> None:
    """`InputError` unless the contract's model has tensors of these shapes; it is built without memory for them, since
    it may declare any."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), _at_most(100 * len(shapes) + 1000):
            module = ModelChoice(**contract.model).build(contract.task)
        if contract.part != "autoencoder":
            module = keep_half(module, contract.part)
    except Exception as error:  # a contract that someone made up may lead a maker to anything
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged (no model can be made by its contract: {reason})") from error
    try:
        module.load_state_dict({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    except RuntimeError as error:
        raise InputError(
            f"{path} is damaged (its contract declares other tensors than it holds): restore it or train again"
        ) from error


@contextmanager
def _at_most(count: int) -> Iterator[None]:
    """Modules that are made within the block have so many parameters at most; `InputError` at the next."""
    left = count

    def note(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise InputError("too many layers")

    hook = register_module_parameter_registration_hook(note)
    try:
        yield
    finally:
        hook.remove()


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
