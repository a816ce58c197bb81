"""The one training loop, for every method: phases of players, exact resume, best weights kept."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.models import Phase, moving
from ae_pipelines.models.batch import Loader
from ae_pipelines.models.method import Method, device_of
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import adam, fastest
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.collapse import LatentWatch
from ae_pipelines.training.completing import complete, refuse_epochs, rows
from ae_pipelines.training.devices import keep_freed_memory, keeping_random, pick_device, training_on
from ae_pipelines.training.evaluation import judging, mean_terms
from ae_pipelines.training.graphs import step_for
from ae_pipelines.training.loaders import loaders
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.precision import computing, products, settled
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.resuming import Found, History, Position, fingerprint, of_same_recipe, to_take_up, under
from ae_pipelines.training.schedules import learning_rate
from ae_pipelines.training.step import numbers
from ae_pipelines.training.trained import TrainedModel

log = logging.getLogger(__name__)

CHECK_EVERY = 50
"""Steps between checks of the loss, the gradients and the clock."""


class DivergedError(InputError):
    """Loss or gradients stopped being finite."""


def train(
    samples: Samples, recipe: Recipe, checkpoint: CheckpointFile | None = None, run: Run = NO_RUN
) -> tuple[TrainedModel, History]:
    """A model trained on the train split by `recipe`, with its best weights, and its history.

    An unfinished training of the same recipe on the same samples, left in `checkpoint`, is taken up where
    it was: the result is bitwise that of an uninterrupted one.
    """
    keep_freed_memory()
    options = recipe.training
    device = pick_device(options.device)
    with keeping_random(device):
        torch.manual_seed(options.seed)
        task, initial = recipe.task(samples), recipe.initial_encoder()
        model = recipe.model.build(task)
        model.start()
        if model.elsewhere is not None:
            log.info("%s: the encoder was %s", recipe.name, model.elsewhere.words)
        if initial is not None:
            initial.give_to(model)
        model = model.to(device)
        identity = fingerprint(samples, recipe, model, device)  # before samples take their share of a GPU's memory
        training, validation = loaders(samples, recipe, model, device, checkpoint)
        history = fit(model, training, validation, options, checkpoint, identity, run, task.input_shape)
    origin = None if initial is None else initial.origin
    trained = TrainedModel.of(model.cpu(), recipe, task, samples, origin, run, device.type)
    return trained.where_trained(), history


def fit(
    model: Method,
    batches: Loader,
    validation: Loader | None,
    options: TrainOptions,
    checkpoint: CheckpointFile | None = None,
    fingerprint: str = "",
    run: Run = NO_RUN,
    input_shape: tuple[int, ...] | None = None,
) -> History:
    """Train `model` in place and leave its best weights in it (the last ones without validation); each epoch is
    reported to `run`. `input_shape`: of what its encoder is given later; None: as in batches."""
    keep_freed_memory()
    threads = torch.get_num_threads()
    try:
        with training_on(device_of(model), options.deterministic):
            return _Training(model, batches, validation, options, checkpoint, fingerprint, run, input_shape).run()
    finally:
        torch.set_num_threads(threads)


class _Training:
    """A training in progress: what the loop moves and what a checkpoint holds."""

    def __init__(
        self,
        model: Method,
        batches: Loader,
        validation: Loader | None,
        options: TrainOptions,
        checkpoint: CheckpointFile | None,
        fingerprint: str,
        run: Run,
        input_shape: tuple[int, ...] | None,
    ) -> None:
        self._model, self._batches, self._validation = model, batches, validation
        self._options, self._file, self._fingerprint = options, checkpoint, fingerprint
        self._tracked_run = run
        self._device = device_of(model)
        self._phases = moving(model.phases())
        self._epochs = options.epochs or math.ceil(options.steps / len(batches))
        self._at = Position(until_epoch=options.until_epoch)
        self._best: dict[str, Tensor] = {}
        self._latents = LatentWatch(model, validation or batches, input_shape)
        self._saved_at = self._logged_at = time.monotonic()

    def run(self) -> History:
        if not self._phases:
            refuse_epochs(self._options)
        earlier = of_same_recipe(self._file, self._fingerprint)
        found = to_take_up(earlier, self._options.until_epoch)
        kept = None if earlier is None else earlier[1].get("precision")
        self._execution = None if earlier is None else earlier[1].get("execution")
        self._precision = settled(self._options.precision, kept, self._model, self._batches.batch_size, self._device)
        self._computing = partial(computing, self._precision, self._device)
        self._setup = self._pick_setup(earlier)
        torch.set_num_threads(self._setup.threads)
        torch.manual_seed(self._options.seed)
        if self._phases:
            with products(self._precision, self._device), fastest.laid_out(self._model, self._setup.memory_format):
                self._run_phases(found)
        with products("float32", self._device):
            self._complete()
        return self._at.history

    def _run_phases(self, found: Found | None) -> None:
        self._at.leg_end = self._phase.epochs or self._epochs
        self._start_phase()
        if found is not None:
            self._take_up(*found)
        self._save()
        while not self._at.finished:
            self._run_phase()
        self._take_best()
        self._latents.judge(len(self._at.history) * len(self._batches))

    @property
    def _phase(self) -> Phase:
        return self._phases[self._at.phase]

    # -- one phase, one epoch, one step ------------------------------------------------------------------

    def _start_phase(self) -> None:
        model, players, options = self._model, self._phase.players, self._options
        self._step = step_for(model, players, options, self._computing, self._batches, self._device, self._execution)

    def _run_phase(self) -> None:
        at = self._at
        steps = (at.leg_end - at.epoch) * len(self._batches) - at.step
        with progress.bar(total=steps, label=self._phase.name, unit="batch") as bar:
            while at.epoch < at.leg_end and not self._out_of_patience():
                started, first = time.monotonic(), at.step
                self._run_epoch(bar.update)
                self._end_epoch(bar, (len(self._batches) - first) / (time.monotonic() - started))
        self._end_phase()

    def _run_epoch(self, advance: Callable[[int], Any]) -> None:
        at, options = self._at, self._options
        self._model.train()
        steps = len(self._batches)
        first, total = at.leg_start * steps, (at.leg_end - at.leg_start) * steps
        for drawn in self._step.drawn(self._batches, at.epoch, at.step):
            behind = at.epoch * steps + at.step - first
            rate = learning_rate(options, behind / total)
            at.step += 1
            checking = at.step % CHECK_EVERY == 0 or at.step == steps
            self._step(drawn, rate, (behind + 1) / total, checking)
            if checking:
                advance((at.step - 1) % CHECK_EVERY + 1)
                self._check(at.step < steps)

    def _check(self, mid_epoch: bool) -> None:
        """Every `CHECK_EVERY` steps: is everything finite, and is it time to save?"""
        at = self._at
        if self._device.type == "cpu":  # others are no slower on denormal numbers
            for _, optimiser in self._step.moves:
                adam.drop_denormals(optimiser)
        at.gradient_norm = self._step.gradient_norm()
        self._refuse_non_finite({"gradient norm": at.gradient_norm, **numbers(self._step.totals)})
        if mid_epoch and time.monotonic() - self._saved_at >= self._options.checkpoint_seconds:
            self._save()

    def _refuse_non_finite(self, values: dict[str, float]) -> None:
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise DivergedError(
                f"training diverged in epoch {self._at.epoch + 1}, by step {self._at.step}: {', '.join(wrong)}. Give a "
                f"lower training.learning_rate (it was {self._options.learning_rate}) or a "
                f"training.maximum_gradient_norm (it was {self._options.maximum_gradient_norm})"
            )

    def _end_epoch(self, bar: Any, batches_per_second: float) -> None:
        at = self._at
        row: dict[str, Any] = {"phase": self._phase.name, "epoch": at.epoch + 1}
        row |= {name: total / len(self._batches) for name, total in numbers(self._step.totals).items()}
        row |= self._validate()
        tensors = self._model.state_dict().items()
        weights = numbers({name: tensor.abs().sum() for name, tensor in tensors if tensor.is_floating_point()})
        self._refuse_non_finite({"loss": row["loss"], **weights})
        row |= {f"latents/{name}": value for name, value in self._latents.measured().items()}
        row["gradient_norm"] = at.gradient_norm
        row["learning_rate"] = self._step.rate
        at.history.append(row)
        row["best_so_far"] = self._keep_best(row)
        at.epoch, at.step = at.epoch + 1, 0
        self._step.forget()
        rate = batches_per_second * self._batches.batch_size
        self._report(row, len(at.history), samples_per_second=rate)
        bar.set_postfix_str(f"epoch {at.epoch}/{at.leg_end} loss {row['loss']:.5f}")
        if bar.disable and (at.epoch == at.leg_end or time.monotonic() - self._logged_at >= progress.SAY_EVERY):
            self._logged_at = time.monotonic()
            log.info("epoch %d/%d  loss %.5f  %.0f samples/s", at.epoch, at.leg_end, row["loss"], rate)
        if time.monotonic() - self._saved_at >= self._options.checkpoint_seconds:
            self._save()

    def _report(self, row: dict[str, Any], step: int, **more: float) -> None:
        values = {name: value for name, value in row.items() if isinstance(value, float)} | more
        self._tracked_run.report({f"{row['phase']}/{name}": value for name, value in values.items()}, step)

    # -- validation and best weights ---------------------------------------------------------------------

    def _validate(self) -> dict[str, float]:
        """Mean loss terms on the validation batches, and `loss`: what the best weights are chosen by."""
        if self._validation is None:
            return {"loss": sum(numbers(self._step.totals).values()) / len(self._batches)}
        players = [player for player, _ in self._step.moves]
        with judging(self._model, self._options.seed):
            means = mean_terms(players, self._validation, self._computing)
        return {**{f"validation/{name}": value for name, value in means.items()}, "loss": sum(means.values())}

    def _keep_best(self, row: dict[str, Any]) -> bool:
        """Whether these weights are the best so far; then they are kept."""
        if self._validation is None or not self._phase.judged or row["loss"] >= self._at.best:
            return False
        self._at.best, self._at.best_epoch = row["loss"], self._at.epoch
        self._best = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        return True

    def _out_of_patience(self) -> bool:
        patience, at = self._options.patience, self._at
        return bool(patience and self._best and at.epoch - 1 - at.best_epoch >= patience)

    def _end_phase(self) -> None:
        at = self._at
        at.finished = at.phase + 1 == len(self._phases)
        if at.finished:
            at.completing = self._model.completes
            self._save()  # with the last weights, from which further epochs continue
        else:
            self._take_best()
            self._best = {}
            at.start_phase(at.phase + 1)
            at.leg_end = self._phase.epochs or self._epochs
            self._start_phase()
            self._save()

    def _take_best(self) -> None:
        if self._best:
            self._model.load_state_dict(self._best)

    def _complete(self) -> None:
        complete(self._model, self._batches, self._file, self._fingerprint)
        if self._at.completing and self._file is not None and (saved := self._file.load()) is not None:
            tensors, state = saved  # with the last weights, where the model has its best ones
            self._file.save(tensors, state | {"position": state["position"] | {"completing": False}})
        for row in rows(self._model):
            self._at.history.append(row)
            self._report(row, len(self._at.history))

    # -- threads and memory format -----------------------------------------------------------------------

    def _pick_setup(self, earlier: Found | None) -> fastest.Setup:
        kept = None if earlier is None else earlier[1]
        batches = self._batches
        return fastest.settled(
            self._options, kept, self._model, lambda: next(batches.epoch(0)), self._precision, self._device
        )

    # -- checkpoints -------------------------------------------------------------------------------------

    def _take_up(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        at = self._at = Position(**state["position"])
        self._start_phase()
        self._model.load_state_dict(under("model", tensors))
        self._best = {name: tensor.to(self._device) for name, tensor in under("best", tensors).items()}
        self._step.totals = {name: tensor.to(self._device) for name, tensor in under("totals", tensors).items()}
        for number, (player, optimiser) in enumerate(self._step.moves):
            adam.restore(player, optimiser, under(f"optimiser.{number}", tensors))
        torch.set_rng_state(tensors["random.cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self._device)
        for number, row in enumerate(at.history, start=1):
            self._report(row, number)
        if at.finished:
            at.go_on(self._options.until_epoch)
        else:
            log.info("taking up the training at epoch %d, step %d", at.epoch + 1, at.step)

    def _save(self) -> None:
        if self._file is None:
            return
        tensors = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        tensors |= {f"totals.{name}": tensor for name, tensor in self._step.totals.items()}
        for number, (player, optimiser) in enumerate(self._step.moves):
            remembered = adam.moments(player, optimiser)
            tensors |= {f"optimiser.{number}.{name}": slot for name, slot in remembered.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self._device)
        computing = {"precision": self._precision, "execution": self._step.way, **self._setup._asdict()}
        state = {"fingerprint": self._fingerprint, **computing, "position": asdict(self._at)}
        self._file.save(tensors, state)
        self._saved_at = time.monotonic()
