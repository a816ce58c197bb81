"""Do latents still tell samples apart? Watched in every training of a method whose latents are vectors."""

import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Loader, clean
from ae_pipelines.models.method import Method

log = logging.getLogger(__name__)

MOST_ROWS = 512
"""Samples that are looked at: the first of one batch."""
FEWEST_ROWS = 16
"""With fewer nothing is said of collapse: n samples differ in n - 1 directions at most."""
FEWEST_STEPS = 100
"""After fewer nothing is said of collapse: batch norm has yet to learn the statistics that it takes in evaluation."""
LEAST_RANK = 1.5
"""Of six latents or more (of two 1.1): of digits 5 to 13 of 16, and 1.97 of 2, after trainings that went well."""


class CollapsedError(InputError):
    """All samples have nearly the same latent, or differ in one direction only."""


class LatentWatch:
    """Rank and variance of the latents of a few samples, while a model learns."""

    def __init__(self, model: Method, loader: Loader, shape: tuple[int, ...] | None = None) -> None:
        """`shape`: of what the encoder is given when training is over; None: of what batches have as input."""
        self._model = model
        self._x = _some_inputs(loader, shape) if hasattr(model, "encode") else None

    def measured(self) -> dict[str, float]:
        """`effective_rank` and `variance` (the mean over latents of their variance), now; empty where latents are maps
        or there are none."""
        z = self._latents()
        return {} if z is None else {"effective_rank": effective_rank(z), "variance": float(z.var(0).mean())}

    def judge(self, steps: int) -> None:
        """`CollapsedError` if the latents have collapsed after `steps` of training and are all that the method is for;
        a warning for others."""
        z = self._latents()
        if z is None or self._x is None or len(z) < FEWEST_ROWS or steps < FEWEST_STEPS:
            return
        compared = self._evaluated(self._model.compared, self._x)
        if not self._collapsed(z, compared):
            return
        said = (
            f"latents have collapsed: those of {len(z)} samples have an effective rank of {effective_rank(z):.2f} (of "
            f"{z.shape[1]} at most), and the variance of what the loss compares is {spread(compared):.1g} of its mean "
            f"square, so they hardly tell samples apart. {self._model.if_collapsed}"
        )
        if self._model.needs_spread:
            raise CollapsedError(said)
        log.warning(said)

    def _latents(self) -> Tensor | None:
        """(n, latent_size), float32."""
        if self._x is None:
            return None
        z = self._evaluated(self._model.encode, self._x)
        return z if z.ndim == 2 and len(z) > 1 and z.isfinite().all() else None

    @torch.no_grad()
    def _evaluated(self, function: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """What the model's `function` gives in evaluation mode, float32."""
        was_training = self._model.training
        self._model.eval()
        found = function(given)
        self._model.train(was_training)
        return found.float()

    def _collapsed(self, z: Tensor, compared: Tensor) -> bool:
        least = min(LEAST_RANK, 1 + 0.1 * (z.shape[1] - 1))
        return spread(compared) < self._model.least_spread or effective_rank(z) < least


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the singular values of z (n, d) less its mean, made to add up to 1: between 1, also where
    all are equal, and d (RankMe, Garrido et al. 2023, whose latents keep their mean)."""
    values = torch.linalg.svdvals(z - z.mean(0))
    shares = values / values.sum().clamp_min(torch.finfo(z.dtype).tiny)
    return math.exp(float(torch.special.entr(shares).sum()))


def spread(vectors: Tensor) -> float:
    """Of vectors (n, width) the mean variance ÷ the mean square: 0 where all are equal, 1 where their mean is zero."""
    return float(vectors.var(0).mean() / vectors.square().mean().clamp_min(torch.finfo(vectors.dtype).tiny))


def _some_inputs(loader: Loader, shape: tuple[int, ...] | None) -> Tensor:
    """Clean samples, unless a corruption changes their shape for good."""
    batch = next(loader.epoch(0))
    return clean(batch, shape or batch.input.shape[1:])[:MOST_ROWS]
