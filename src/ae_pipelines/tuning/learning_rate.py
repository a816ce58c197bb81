"""The learning-rate range test (Smith 2017): one short training in which the rate grows until the loss does."""

import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.models import Phase, moving
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.method import Method
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.adam import adam_for
from ae_pipelines.training.devices import keep_freed_memory, pick_device
from ae_pipelines.training.loaders import loaders
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.precision import computing, settled
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions

log = logging.getLogger(__name__)

LOWEST, HIGHEST = 1e-6, 1.0
"""Adam moves each weight by about the rate in a step: the first rate moves nothing, the last one breaks every net."""
STEPS, FEWEST_STEPS, MOST_EPOCHS = 200, 60, 20
"""Batches; fewer where these would be more epochs, so that a test of few samples does not learn them by heart."""
WIDTH = 1 / 50
"""Standard deviation of the smoothing window, as a share of the steps: a tenth of a decade."""
SAFE = 10
"""The suggested rate is the one of the lowest loss, divided by this: at the lowest loss steps are already so large that
the next rates undo what was learned. The rate at which the loss falls fastest, which is often taken, is too low: there
Adam has only just moved the weights from their initial values (`dense` on the digits, 600 steps: mse 0.021 with that
rate, 0.009 with the recipe's own)."""
REPORTED = 10
"""The curve is reported to the run at each so many steps."""
RISEN = 0.1
"""A rate is no longer stable where the loss has given back this share of its fall."""
GONE = 2.0
"""The test ends where the loss is so far above its minimum, in units of its fall or of the loss at the start."""


@dataclass(frozen=True)
class Curve:
    """What a learning-rate range test of a recipe showed."""

    recipe: str
    own: float
    """The rate that the recipe has."""
    schedule: str
    """The recipe's; unless it is constant, its rate is the peak."""
    rates: list[float]
    """Of each step, growing by the same factor."""
    losses: dict[str, list[float]]
    """By player; of each step's batch, before the step."""
    smoothed: dict[str, list[float]]
    """The same, averaged over neighbouring steps."""
    suggested: float | None
    """None where the loss says nothing about the rate; `note` says why."""
    highest_stable: float | None
    """The last rate before the loss rises again; the last one of the test, where it does not."""
    note: str
    """How the suggestion was found, or why there is none."""

    @property
    def verdict(self) -> str:
        """One line."""
        return f"learning-rate test of {self.recipe}: {self.note}"

    def metrics(self) -> dict[str, float]:
        """The rates that matter, as far as there are any."""
        named = {"suggested": self.suggested, "highest_stable": self.highest_stable, "own": self.own}
        return {f"learning_rate_{name}": rate for name, rate in named.items() if rate is not None}

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """What `plain` gave."""
        return cls(**plain)


def range_test(samples: Samples, recipe: Recipe, options: TuneOptions, run: Run = NO_RUN) -> Curve:
    """The loss of a new model of `recipe` on train batches while its learning rate grows from `LOWEST` to `HIGHEST`.

    Optimisers, batches, precision and the largest gradient norm are those of a training; its schedule and its stopping
    are left out, and nothing of the model is kept. Of several phases the last is tested, in which the whole model
    learns. `InputError` if the method learns without gradients.
    """
    keep_freed_memory()
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": options.seed})})
    device = pick_device(recipe.training.device)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = recipe.model.build(recipe.task(samples))
        model.start()
        if (initial := recipe.initial_encoder()) is not None:
            initial.give_to(model)
        phase = _tested(model, recipe)
        model = model.to(device).train()
        batches, _ = loaders(samples, recipe, model, device)
        rates, losses = _losses(model, phase, batches, recipe.training, device)
    curve = _judged(rates, losses, phase, recipe)
    log.info("%s", curve.verdict)
    for step in range(0, len(rates), REPORTED):
        said = {f"loss of {name}": each[step] for name, each in curve.smoothed.items()} | {"rate": rates[step]}
        run.report({f"learning_rate/{name}": value for name, value in said.items()}, step + 1)
    return curve


def _tested(model: Method, recipe: Recipe) -> Phase:
    phases = moving(model.phases())
    if not phases:
        raise InputError(
            f"tune.kind=learning_rate: {recipe.model.kind} learns without gradients here, so it has no learning rate: "
            "choose another recipe, or tune.kind=study"
        )
    return phases[-1]


def _losses(
    model: Method, phase: Phase, batches: Loader, options: TrainOptions, device: torch.device
) -> tuple[list[float], dict[str, list[float]]]:
    """Rates, and each player's losses at them, until these are over or a loss is beyond all bounds."""
    steps = min(STEPS, max(FEWEST_STEPS, MOST_EPOCHS * len(batches)))
    precision = settled(options.precision, None, model, batches.batch_size, device)
    moves = [(player, adam_for(player, options)) for player in phase.players]
    losses: dict[str, list[float]] = {player.name: [] for player in phase.players}
    rates = np.geomspace(LOWEST, HIGHEST, steps).tolist()
    with progress.Steps(steps, "learning-rate test", "batch") as bar:
        for step, batch in enumerate(itertools.islice(_endless(batches), steps)):
            for player, optimiser in moves:
                for group in optimiser.param_groups:
                    group["lr"] = rates[step]
                with computing(precision, device):
                    loss = torch.stack(list(player.terms(batch).values())).sum()
                optimiser.zero_grad(set_to_none=True)
                loss.backward(inputs=player.parameters)
                nn.utils.clip_grad_norm_(player.parameters, options.maximum_gradient_norm or math.inf)
                optimiser.step()
                losses[player.name].append(float(loss.detach()))
            with torch.no_grad():
                model.after_step((step + 1) / steps)
            bar.advance(1)
            if _gone(losses, phase.judged):
                break
    finite = min(sum(map(math.isfinite, each)) for each in losses.values())
    return rates[:finite], {name: each[:finite] for name, each in losses.items()}


def _endless(batches: Loader) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from batches.epoch(epoch)


def _gone(losses: dict[str, list[float]], judged: bool) -> bool:
    """Whether further steps would show nothing."""
    total = [sum(each) for each in zip(*losses.values(), strict=True)]
    if not math.isfinite(total[-1]):
        return True
    scale = max(total[0] - min(total), abs(total[0]))
    return judged and total[-1] > min(total) + GONE * scale


def _judged(rates: list[float], losses: dict[str, list[float]], phase: Phase, recipe: Recipe) -> Curve:
    """The curve with what follows from it."""
    smoothed = {name: _smoothed(np.array(each)) for name, each in losses.items()}
    suggested = stable = None
    if phase.judged:
        total, raw = sum(smoothed.values()), np.sum(list(losses.values()), axis=0)
        suggested, stable, note = _suggestion(np.array(rates), np.asarray(total), raw, recipe)
    else:
        note = (
            f"{' and '.join(losses)} oppose each other, so a lower loss of one is not a better model, and no rate is "
            "suggested; where their losses leave for good, the rate is too high"
        )
    return Curve(
        recipe=recipe.name,
        own=recipe.training.learning_rate,
        schedule=recipe.training.schedule,
        rates=rates,
        losses=losses,
        smoothed={name: each.tolist() for name, each in smoothed.items()},
        suggested=suggested,
        highest_stable=stable,
        note=note,
    )


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Means of losses (n,) under a normal window around each step; unlike a running mean it does not lag behind."""
    place = np.arange(len(losses))
    weights = np.exp(-0.5 * ((place[:, None] - place) / (WIDTH * len(losses))) ** 2)  # (n, n)
    return weights @ losses / weights.sum(1)


def _suggestion(
    rates: np.ndarray, smoothed: np.ndarray, losses: np.ndarray, recipe: Recipe
) -> tuple[float | None, float | None, str]:
    """A rate to train with, the highest stable one, and how they were found."""
    flat = len(losses) // 5  # steps too small to change much
    start, noise = smoothed[:flat].max(), 2 * np.std(losses[:flat])
    lowest = int(smoothed.argmin())
    fall = start - smoothed[lowest]
    if fall <= noise:
        return None, None, "the loss did not fall at any rate by more than it varies between batches: nothing follows"
    risen = np.flatnonzero(smoothed[lowest:] > smoothed[lowest] + RISEN * fall)
    stable = float(rates[lowest + risen[0] - 1] if len(risen) else rates[-1])
    suggested = float(f"{rates[lowest] / SAFE:.1e}")
    return (
        suggested,
        stable,
        f"{suggested:.1e} is suggested, a tenth of the rate of the lowest loss ({rates[lowest]:.1e}); stable up to "
        f"{stable:.1e}; the recipe has {recipe.training.learning_rate:.1e}",
    )
