"""Which trials end early: a trial's curve against the curves of others. Pure functions, so that a trial that is taken
up after a kill ends in the same epoch."""

import math
from binascii import crc32
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.training.recipe import Recipe

Curves = Mapping[int, Sequence[float]]
"""Validation losses by epoch, by the number of the trial."""

STARTUP = 5
"""A trial is compared with as many others at least: fewer say little of what is usual."""
WARM_UP = 3
"""The median is not asked before this part (one in so many) of the epochs is over."""
REDUCTION = 3
"""Of Hyperband: one trial in so many goes on at each rung, where the epochs so far are so many times those of the one
below (η of Li et al. 2018)."""


def below_the_median(number: int, curve: Sequence[float], others: Curves) -> bool:
    """Whether the lowest loss so far is above the median of the lowest losses of those others that came as far,
    after a third of the epochs (the median stopping rule of Golovin et al. 2017 compares with running averages, which
    are of losses still falling fast). How many epochs there are is taken from the others."""
    far = len(curve)
    lowest = [min(other[:far]) for other in others.values() if len(other) >= far]
    if len(lowest) < STARTUP or far * WARM_UP < max(map(len, others.values())):
        return False
    return min(curve) > median(lowest)


def off_its_rung(number: int, curve: Sequence[float], others: Curves) -> bool:
    """Whether the last epoch is a rung of its bracket, and the loss there is not among the lowest third of the losses
    of the trials of the same bracket that came to that rung (Hyperband, Li et al. 2018, with successive halving that
    does not wait for others, Li et al. 2020, as in Optuna).

    A bracket's first rung is at 1, 3, 9 ... epochs. A trial's bracket follows from its number; how many there are, from
    the epochs of the others. Without two others at a rung nobody is stopped there.
    """
    far = len(curve)
    brackets = 1 + int(math.log(max(map(len, others.values()), default=1), REDUCTION) + 1e-9)
    bracket = bracket_of(number, brackets)
    if far not in {REDUCTION**rung for rung in range(bracket, brackets)}:
        return False
    there = [
        other[far - 1] for one, other in others.items() if len(other) >= far and bracket_of(one, brackets) == bracket
    ]
    if len(there) + 1 < REDUCTION:
        return False
    lowest = sorted([*there, curve[-1]])[: (len(there) + 1) // REDUCTION]
    return curve[-1] > lowest[-1]


def bracket_of(number: int, brackets: int) -> int:
    """The bracket of a trial, from 0, which has most trials and stops them earliest: as many begin in each as take the
    same number of epochs in all."""
    shares = [math.ceil(brackets * REDUCTION**left / (left + 1)) for left in reversed(range(brackets))]
    place = crc32(str(number).encode()) % sum(shares)
    return next(bracket for bracket in range(brackets) if place < sum(shares[: bracket + 1]))


def goes_on(number: int, curve: Sequence[float], others: Curves) -> bool:
    """No trial ends early."""
    return False


PRUNERS: dict[str, Callable[[int, Sequence[float], Curves], bool]] = {
    "median": below_the_median,
    "hyperband": off_its_rung,
    "none": goes_on,
}
"""Whether the trial of this number ends after the last epoch of its curve, seeing those of others."""


def yardstick(recipe: Recipe, follows_loss: bool) -> str:
    """A hash that is equal for recipes whose validation losses mean the same, epoch by epoch, so that curves may be
    compared; imports torch.

    Of the model all counts but the net, of the batches what is done to samples, of the training how long it is and how
    its rate changes. The loss of another method, under another corruption or with another weight of a penalty is
    another quantity, lower or higher for no merit. Unless what is tuned for is itself how well samples are
    reconstructed (`follows_loss`), the size of latents counts, too: the smaller, the higher the loss, however good they
    are otherwise. What is left, nets, learning rates and sizes of batches, is compared by how well it learns.
    """
    model: dict[str, Any] = {name: value for name, value in recipe.model.described().items() if name != "net"}
    if follows_loss:
        model.pop("latent_size", None)
    loader = recipe.loader.model_dump(mode="json", exclude={"batch_size", "memory_budget"})
    corruptions = [choice.described() for choice in recipe.loader.corruptions]
    epochs = recipe.training.epochs
    length = epochs if epochs is not None else [recipe.training.steps, recipe.loader.batch_size]
    options = recipe.training
    training = [length, options.schedule, options.validation_share, options.seed, options.initial_encoder]
    return canonical_sha256([model, loader | {"corruptions": corruptions}, training])
