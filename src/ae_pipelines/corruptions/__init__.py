"""What is done to a target so that the encoder has to work: `input = corrupt(target)`."""

from typing import TYPE_CHECKING

from ae_pipelines.registry import Choice, Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ae_pipelines.batches import Corrupt

CORRUPTIONS = Registry("corruption", __name__)
"""Makers of `(target, generator) → input`, on whole batches on their device, seeded by the generator alone."""


class CorruptionChoice(Choice):
    """A corruption by kind."""

    registry = CORRUPTIONS


def one_after_another(corruptions: "list[Corrupt]") -> "Corrupt | None":
    """All of them in order, as one; None for none."""
    if not corruptions:
        return None

    def corrupt(target: "Tensor", generator: "torch.Generator") -> "Tensor":
        for corruption in corruptions:
            target = corruption(target, generator)
        return target

    return corrupt
