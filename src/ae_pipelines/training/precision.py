"""In which precision a training computes, and how that is picked where the recipe leaves it open."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, cast

import torch
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.method import Method

log = logging.getLogger(__name__)

Precision = Literal["float32", "tf32", "bfloat16"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
FEWEST = 64
"""Samples in a batch from which on bfloat16 pays: with fewer, casting costs more than it saves."""


def settled(
    wanted: Precision | Literal["auto"], kept: Precision | None, model: Method, batch_size: int, device: torch.device
) -> Precision:
    """What a training computes in: as with threads, one that is done again, here or on another machine, keeps what it
    had; else what is wanted, and for `auto` what is `picked`."""
    if kept is not None:
        return kept
    if wanted == "tf32" and not has_tf32(device):
        raise InputError(f"training.precision tf32 needs an NVIDIA GPU of 2020 or later, given {device}: give float32")
    if wanted != "auto":
        return wanted
    precision, why = picked(model, batch_size, device)
    log.info("training in %s: %s", precision, why)
    return precision


def picked(model: Method, batch_size: int, device: torch.device) -> tuple[Precision, str]:
    """What `precision: auto` means for this training, and why."""
    against = _against(model, batch_size, device)
    if against is None:
        of = "GPU" if device.type == "cuda" else "CPU"
        return "bfloat16", f"this {of} multiplies in it, and a convolutional {_name(model)} learns well in it"
    return ("tf32" if has_tf32(device) else "float32"), against


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """In this context loss terms are computed so; weights and optimiser stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """In this context, also for gradients, a GPU multiplies float32 numbers with all their bits, or as `tf32` says."""
    if device.type != "cuda":
        yield
        return
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn).conv)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def has_tf32(device: torch.device) -> bool:
    """Whether this is a GPU that multiplies float32 numbers of 10 bits after the point."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def has_bfloat16(device: torch.device = torch.device("cpu")) -> bool:  # noqa: B008
    """Whether the device multiplies in bfloat16: a CPU by AMX or AVX-512, a GPU by what also gives it tf32; others only
    imitate it."""
    if device.type != "cpu":
        return has_tf32(device)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def _against(model: Method, batch_size: int, device: torch.device) -> str | None:
    """Why not bfloat16; None if nothing speaks against it."""
    if device.type not in ("cpu", "cuda"):
        return "bfloat16 has been compared on CPUs only"
    if not _convolves(model):
        return "without convolutions bfloat16 is hardly faster"
    if not model.learns_in_bfloat16:
        return f"that {_name(model)} learns as well in bfloat16 has not been shown"
    if batch_size < FEWEST:
        return f"bfloat16 does not pay for batches of {batch_size}"
    if not has_bfloat16(device):
        return f"this {'GPU' if device.type == 'cuda' else 'CPU'} does not multiply in bfloat16"
    return None


def _convolves(model: Method) -> bool:
    return any(isinstance(part, CONVOLUTIONS) for part in model.modules())


def _name(model: Method) -> str:
    return type(model).__name__
