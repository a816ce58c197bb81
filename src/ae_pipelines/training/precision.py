"""In which precision a training computes, and how that is picked where the recipe leaves it open."""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn

from ae_pipelines.models.method import Method

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]

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
    if wanted != "auto":
        return wanted
    precision, why = picked(model, batch_size, device)
    log.info("training in %s: %s", precision, why)
    return precision


def picked(model: Method, batch_size: int, device: torch.device) -> tuple[Precision, str]:
    """What `precision: auto` means for this training, and why."""
    against = _against(model, batch_size, device)
    if against is not None:
        return "float32", against
    return "bfloat16", f"this CPU multiplies in it, and a convolutional {_name(model)} learns well in it"


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """In this context loss terms are computed so; weights and optimiser stay float32."""
    return nullcontext() if precision == "float32" else torch.autocast(device.type, torch.bfloat16)


def has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16, by AMX or AVX-512; others only imitate it."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def _against(model: Method, batch_size: int, device: torch.device) -> str | None:
    """Why not bfloat16; None if nothing speaks against it."""
    if device.type != "cpu":
        return "bfloat16 has been compared on CPUs only"
    if not any(isinstance(part, CONVOLUTIONS) for part in model.modules()):
        return "without convolutions bfloat16 is hardly faster"
    if not model.learns_in_bfloat16:
        return f"that {_name(model)} learns as well in bfloat16 has not been shown"
    if batch_size < FEWEST:
        return f"bfloat16 does not pay for batches of {batch_size}"
    if not has_bfloat16():
        return "this CPU does not multiply in bfloat16"
    return None


def _name(model: Method) -> str:
    return type(model).__name__
