"""Do latents still tell samples apart? Watched in every training of a method whose latents are vectors."""

import logging
import math

import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Loader
from ae_pipelines.models.method import Method

log = logging.getLogger(__name__)

MOST_ROWS = 512
"""Samples that are looked at: the first of one batch."""
FEWEST_ROWS = 16
"""With fewer nothing is said of collapse: n samples differ in n - 1 directions at most."""
LEAST_RANK = 1.1
LEAST_VARIANCE = 1e-6
"""Below one of these, latents have collapsed: of `effective_rank`, if there are several latents, and of the mean variance
of latents ÷ the mean of their squares. See `tests/training/test_collapse.py` for what real trainings have."""


class CollapsedError(InputError):
    """All samples have the same latent, or all differ in one direction only."""


class LatentWatch:
    """Rank and variance of the latents of a few samples, while a model learns."""

    def __init__(self, model: Method, loader: Loader) -> None:
        self._model = model
        self._x = _some_inputs(loader) if hasattr(model, "encode") else None

    def measured(self) -> dict[str, float]:
        """`latents/effective_rank` and `latents/variance` (the mean over latents of their variance), now; empty where
        latents are maps or there are none."""
        z = self._latents()
        if z is None:
            return {}
        return {"latents/effective_rank": effective_rank(z), "latents/variance": float(z.var(0).mean())}

    def judge(self) -> None:
        """`CollapsedError` if the latents have collapsed and are all that the method gives; a warning for others."""
        z = self._latents()
        if z is None or len(z) < FEWEST_ROWS or not has_collapsed(z):
            return
        said = (
            f"latents have collapsed: those of {len(z)} samples have an effective rank of {effective_rank(z):.2f} (of "
            f"{z.shape[1]}) and a mean variance of {float(z.var(0).mean()):.2g}, so they hardly tell samples apart. "
            f"{self._model.if_collapsed}"
        )
        if self._model.needs_spread:
            raise CollapsedError(said)
        log.warning(said)

    @torch.no_grad()
    def _latents(self) -> Tensor | None:
        """(n, latent_size), of the model in evaluation mode."""
        if self._x is None:
            return None
        was_training = self._model.training
        z = self._model.eval().encode(self._x)
        self._model.train(was_training)
        comparable = z.ndim == 2 and len(z) > 1 and bool(z.isfinite().all())
        return z.float() if comparable else None


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the singular values of z (n, d) less its mean, which are made to add up to 1: between 1 and d
    (Roy & Vetterli 2007; RankMe, Garrido et al. 2023, eq. 1 to 3, for latents less their mean). 1 where all are equal."""
    values = torch.linalg.svdvals(z - z.mean(0))
    shares = values / values.sum().clamp_min(torch.finfo(z.dtype).tiny)
    return math.exp(float(torch.special.entr(shares).sum()))


def has_collapsed(z: Tensor) -> bool:
    """Whether latents (n, d) hardly differ from sample to sample, or in one direction only."""
    spread = z.var(0).mean() / z.square().mean().clamp_min(torch.finfo(z.dtype).tiny)
    return bool(spread < LEAST_VARIANCE) or (z.shape[1] > 1 and effective_rank(z) < LEAST_RANK)


def _some_inputs(loader: Loader) -> Tensor:
    """Clean samples, unless a corruption changes their shape."""
    batch = next(loader.epoch(0))
    clean = batch.target.shape == batch.input.shape
    return (batch.target if clean else batch.input)[:MOST_ROWS]
