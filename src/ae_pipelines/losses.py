"""Reconstruction losses: how far a decoder's output is from its target."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.errors import InputError
from ae_pipelines.registry import Choice, Registry

LOSSES = Registry("loss", __name__)

Loss = Callable[[Tensor, Tensor, bool], Tensor]
"""(raw decoder output, target, bounded) → scalar; `bounded`: inputs lie in [0, 1], so raw goes through a sigmoid."""


class LossChoice(Choice):
    """A reconstruction loss by kind."""

    registry = LOSSES


@LOSSES.register("mse")
def mse() -> Loss:
    """Squared error, averaged over features and over the batch."""

    def loss(raw: Tensor, target: Tensor, bounded: bool) -> Tensor:
        return F.mse_loss(raw.sigmoid() if bounded else raw, target)

    return loss


@LOSSES.register("bce")
def bce() -> Loss:
    """Binary cross-entropy in nats with targets in [0, 1], averaged over features and over the batch."""

    def loss(raw: Tensor, target: Tensor, bounded: bool) -> Tensor:
        if not bounded:
            raise InputError("bce needs targets in [0, 1]: use mse for unbounded data")
        return F.binary_cross_entropy_with_logits(raw, target)

    return loss
