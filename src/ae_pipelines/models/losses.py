"""Reconstruction losses: how far a decoder's output is from its target."""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.registry import Choice, Registry

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


@LOSSES.register("l1")
def l1() -> Loss:
    """Absolute error, averaged over features and over the batch.

    Its optimum is the median, which for images that are mostly black is black; behind a sigmoid a net can get stuck
    there (MNIST: use mse).
    """

    def loss(raw: Tensor, target: Tensor, bounded: bool) -> Tensor:
        return F.l1_loss(raw.sigmoid() if bounded else raw, target)

    return loss


@LOSSES.register("ssim")
def ssim(*, window: Annotated[int, Field(gt=0)] = 11) -> Loss:
    """1 − structural similarity (Wang et al. 2004, eq. 13), averaged over positions, channels and the batch.

    For images (batch, channels, height, width) in [0, 1]; `InputError` for anything else.
    Local means are taken with a Gaussian window of `window` × `window` pixels (odd) and standard deviation
    1.5 pixels, wherever it lies wholly inside the image; K1 = 0.01, K2 = 0.03. Departure: the window shrinks
    to the largest odd size that fits a smaller image.
    """
    if window % 2 == 0:
        raise InputError(f"ssim needs an odd window, given {window}: use {window - 1} or {window + 1}")

    def loss(raw: Tensor, target: Tensor, bounded: bool) -> Tensor:
        if not bounded:
            raise InputError("ssim needs targets in [0, 1]: use mse or l1 for unbounded data")
        if target.ndim != 4:
            shape = tuple(target.shape[1:])
            raise InputError(
                f"ssim needs images (channels, height, width), given samples of shape {shape}: use mse or l1"
            )
        with torch.autocast(raw.device.type, enabled=False):  # a variance of bfloat16 values is mostly rounding
            return 1 - structural_similarity(raw.float().sigmoid(), target.float(), window).mean()

    return loss


@LOSSES.register("mix")
def mix(
    *,
    losses: Annotated[list[LossChoice], Field(min_length=1)],
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]],
) -> Loss:
    """The sum of several losses, each times its weight and reduced in its own way."""
    if len(losses) != len(weights):
        raise InputError(f"mix needs one weight for each loss, given {len(losses)} losses and {len(weights)} weights")
    if not any(weights):
        raise InputError("mix: all weights are 0, so there is nothing to learn: give at least one above 0")
    parts = [(weight, choice.build()) for weight, choice in zip(weights, losses, strict=True)]

    def loss(raw: Tensor, target: Tensor, bounded: bool) -> Tensor:
        return torch.stack([weight * part(raw, target, bounded) for weight, part in parts]).sum()

    return loss


def structural_similarity(x: Tensor, y: Tensor, window: int = 11) -> Tensor:
    """SSIM of two (batch, channels, height, width) in [0, 1], at every position where the window fits; see `ssim`."""
    height, width = x.shape[-2:]
    fitting = min(window, height - (height + 1) % 2, width - (width + 1) % 2)
    down, across = _windows(height, fitting, x), _windows(width, fitting, x)
    mean_x, mean_y, mean_squares, mean_xy = (down @ image @ across.mT for image in (x, y, x * x + y * y, x * y))
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * product + c1) / (squares + c1)
    structure = (2 * (mean_xy - product) + c2) / (mean_squares - squares + c2)
    return luminance * structure


def _windows(size: int, window: int, like: Tensor) -> Tensor:
    """(size − window + 1, size): each row holds the Gaussian weights of one position of the window.

    A product with it took 0.2 (28 × 28) to 0.6 (128 × 128 pixels) of a grouped convolution's time on a CPU.
    """
    pixels = torch.arange(size, device=like.device)
    offset = pixels - pixels[: size - window + 1, None] - window // 2
    weights = torch.exp(-offset.square() / (2 * 1.5**2)) * (offset.abs() <= window // 2)
    return (weights / weights.sum(1, keepdim=True)).to(like.dtype)
