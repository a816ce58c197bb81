"""The one training loop, for every method: phases of players, exact resume, best weights kept."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import ae_pipelines
from ae_pipelines import adam, progress
from ae_pipelines.batches import Batch, Loader
from ae_pipelines.checkpoints import CheckpointFile
from ae_pipelines.contract import canonical_sha256
from ae_pipelines.devices import fastest_threads, pick_device
from ae_pipelines.errors import InputError
from ae_pipelines.loaders import loaders
from ae_pipelines.models import Phase, Player
from ae_pipelines.recipe import Recipe, TrainOptions
from ae_pipelines.samples import Samples
from ae_pipelines.schedules import learning_rate
from ae_pipelines.trained import TrainedModel

log = logging.getLogger(__name__)

CHECK_EVERY = 50
"""Steps between looks at the loss, the gradients and the clock."""

History = list[dict[str, Any]]
"""A row an epoch: phase, epoch, learning rate, and every loss term on train and validation batches."""


class DivergedError(InputError):
    """Loss or gradients stopped being finite."""


def train(samples: Samples, recipe: Recipe, checkpoint: CheckpointFile | None = None) -> tuple[TrainedModel, History]:
    """A model trained on the train split by `recipe`, with its best weights, and how it went.

    An unfinished training of the same recipe on the same samples, left in `checkpoint`, is taken up where
    it was: the result is bitwise that of an undisturbed one.
    """
    options = recipe.training
    device = pick_device(options.device)
    training, validation = loaders(samples, recipe, device)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = recipe.model.build(samples.spec).to(device)
        history = fit(model, training, validation, options, checkpoint, _fingerprint(samples, recipe, device))
    return TrainedModel.of(model.cpu(), "autoencoder", recipe, samples), history


def fit(
    model: nn.Module,
    batches: Loader,
    validation: Loader | None,
    options: TrainOptions,
    checkpoint: CheckpointFile | None = None,
    fingerprint: str = "",
) -> History:
    """Train `model` in place and leave its best weights in it (the last ones without validation)."""
    threads = torch.get_num_threads()
    try:
        return _Training(model, batches, validation, options, checkpoint, fingerprint).run()
    finally:
        torch.set_num_threads(threads)


@dataclass
class _Position:
    """Where a training is; all that is not a tensor."""

    phase: int = 0
    epoch: int = 0
    """Within the phase."""
    step: int = 0
    """Within the epoch."""
    leg_start: int = 0
    """The schedule runs from this epoch to `leg_end`: going on makes a new leg."""
    leg_end: int = 0
    until_epoch: int | None = None
    best: float = math.inf
    best_epoch: int = -1
    finished: bool = False
    gradient_norm: float = 0.0
    history: History = field(default_factory=list)


class _Training:
    """A training in progress: what the loop moves and what a checkpoint holds."""

    def __init__(
        self,
        model: nn.Module,
        batches: Loader,
        validation: Loader | None,
        options: TrainOptions,
        checkpoint: CheckpointFile | None,
        fingerprint: str,
    ) -> None:
        self._model, self._batches, self._validation = model, batches, validation
        self._options, self._file, self._fingerprint = options, checkpoint, fingerprint
        self._device = next(model.parameters()).device
        self._phases: list[Phase] = model.phases()  # type: ignore[operator]
        epochs = options.epochs or math.ceil(options.steps / len(batches))
        self._at = _Position(leg_end=epochs, until_epoch=options.until_epoch)
        self._best: dict[str, Tensor] = {}
        self._totals: dict[str, Tensor] = {}
        self._known_threads: int | None = None
        self._saved_at = self._said_at = time.monotonic()

    def run(self) -> History:
        found = self._found()
        self._threads = self._pick_threads()
        torch.set_num_threads(self._threads)
        torch.manual_seed(self._options.seed)
        self._start_phase()
        if found is not None:
            self._take_up(*found)
        self._save()
        while not self._at.finished:
            self._run_phase()
        self._take_best()
        return self._at.history

    # -- one phase, one epoch, one step ------------------------------------------------------------------

    def _start_phase(self) -> None:
        players = self._phases[self._at.phase].players
        self._moves = [(player, adam.adam_for(player, self._options)) for player in players]

    def _run_phase(self) -> None:
        at = self._at
        steps = (at.leg_end - at.epoch) * len(self._batches) - at.step
        with progress.bar(total=steps, label=self._phases[at.phase].name, unit="batch") as bar:
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
        for batch in self._batches.epoch(at.epoch, start=at.step):
            rate = learning_rate(options, (at.epoch * steps + at.step - first) / total)
            at.step += 1
            looking = at.step % CHECK_EVERY == 0 or at.step == steps
            for player, optimiser in self._moves:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                self._move(player, optimiser, batch, looking)
            if looking:
                advance((at.step - 1) % CHECK_EVERY + 1)
                self._look_up(at.step < steps)

    def _move(self, player: Player, optimiser: torch.optim.Optimizer, batch: Batch, looking: bool) -> None:
        with self._precision():
            terms = player.terms(batch)
        loss = next(iter(terms.values())) if len(terms) == 1 else torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        limit = self._options.maximum_gradient_norm
        if limit is not None or looking:
            norm = nn.utils.clip_grad_norm_(player.parameters, limit or math.inf)
            if looking:
                self._at.gradient_norm = float(norm)
        optimiser.step()
        for name, value in terms.items():
            self._add(f"train/{player.name}/{name}", value.detach())

    def _add(self, name: str, value: Tensor) -> None:
        if name in self._totals:
            self._totals[name].add_(value)
        else:
            self._totals[name] = value.clone()

    def _look_up(self, mid_epoch: bool) -> None:
        """Now and then: is everything finite, and is it time to save?"""
        at = self._at
        for _, optimiser in self._moves:
            adam.drop_denormals(optimiser)
        self._refuse_non_finite(
            {"gradient norm": at.gradient_norm, **{name: float(total) for name, total in self._totals.items()}}
        )
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
        row: dict[str, Any] = {"phase": self._phases[at.phase].name, "epoch": at.epoch + 1}
        row |= {name: float(total) / len(self._batches) for name, total in self._totals.items()}
        row |= self._validate()
        weights = {name: float(tensor.abs().sum()) for name, tensor in self._model.state_dict().items()}
        self._refuse_non_finite({"loss": row["loss"], **weights})
        row["gradient_norm"] = at.gradient_norm
        row["learning_rate"] = self._moves[0][1].param_groups[0]["lr"]
        at.history.append(row)
        self._keep_best(row)
        at.epoch, at.step, self._totals = at.epoch + 1, 0, {}
        rate = batches_per_second * self._batches.batch_size
        _report(row, len(at.history), samples_per_second=rate)
        bar.set_postfix_str(f"epoch {at.epoch}/{at.leg_end} loss {row['loss']:.5f}")
        if bar.disable and (at.epoch == at.leg_end or time.monotonic() - self._said_at >= progress.SAY_EVERY):
            self._said_at = time.monotonic()
            log.info("epoch %d/%d  loss %.5f  %.0f samples/s", at.epoch, at.leg_end, row["loss"], rate)
        if time.monotonic() - self._saved_at >= self._options.checkpoint_seconds:
            self._save()

    # -- validation and best weights ---------------------------------------------------------------------

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Mean loss terms on the validation batches, and `loss`: what the best weights are chosen by."""
        if self._validation is None:
            return {"loss": sum(float(total) for total in self._totals.values()) / len(self._batches)}
        self._model.eval()
        sums: dict[str, float] = {}
        count = 0
        for batch in self._validation.epoch(0):
            count += len(batch.rows)
            for player, _ in self._moves:
                with self._precision():
                    terms = player.terms(batch)
                for name, value in terms.items():
                    key = f"validation/{player.name}/{name}"
                    sums[key] = sums.get(key, 0.0) + float(value) * len(batch.rows)
        means = {name: total / count for name, total in sums.items()}
        return {**means, "loss": sum(means.values())}

    def _keep_best(self, row: dict[str, Any]) -> None:
        if self._validation is not None and row["loss"] < self._at.best:
            self._at.best, self._at.best_epoch = row["loss"], self._at.epoch
            self._best = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}

    def _out_of_patience(self) -> bool:
        patience, at = self._options.patience, self._at
        return bool(patience and self._best and at.epoch - 1 - at.best_epoch >= patience)

    def _end_phase(self) -> None:
        at = self._at
        at.finished = at.phase + 1 == len(self._phases)
        if at.finished:
            self._save()  # with the last weights, from which more epochs go on
        else:
            self._take_best()
            at.phase, at.epoch, at.best, at.best_epoch, self._best = at.phase + 1, 0, math.inf, -1, {}
            self._start_phase()
            self._save()

    def _take_best(self) -> None:
        if self._best:
            self._model.load_state_dict(self._best)

    # -- precision, threads -------------------------------------------------------------------

    def _precision(self) -> Any:
        if self._options.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _pick_threads(self) -> int:
        if self._device.type != "cpu":
            return torch.get_num_threads()
        # Other threads, other rounding: a recipe trained again keeps the number it had.
        known = self._known_threads or self._options.threads
        return known or fastest_threads(self._model, next(self._batches.epoch(0)), self._precision)

    # -- checkpoints -------------------------------------------------------------------------------------

    def _found(self) -> "_Found | None":
        """What to take up: the unfinished training of this recipe, or a finished one to go on from."""
        found = self._file.load() if self._file is not None else None
        until = self._options.until_epoch
        if found is None or found[1]["fingerprint"] != self._fingerprint:
            if until is not None:
                raise InputError(
                    f"training.until_epoch is {until}, but there is no finished training of this recipe on these "
                    "samples to go on from: train once without until_epoch"
                )
            return None
        self._known_threads = int(found[1]["threads"])
        at = found[1]["position"]
        if until is not None and not at["finished"] and at["until_epoch"] != until:
            raise InputError(
                f"training.until_epoch is {until}, but the training before it stopped at epoch {at['epoch']} of "
                f"{at['leg_end']}: run it again as it was to finish it first"
            )
        if until is not None and until < at["epoch"]:
            raise InputError(f"training.until_epoch is {until}, but the finished training has {at['epoch']} epochs")
        afresh = until is None and (at["finished"] or at["until_epoch"] is not None)
        return None if afresh else found

    def _take_up(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        at = self._at = _Position(**state["position"])
        self._start_phase()
        self._model.load_state_dict(_under("model", tensors))
        self._best = {name: tensor.to(self._device) for name, tensor in _under("best", tensors).items()}
        self._totals = {name: tensor.to(self._device) for name, tensor in _under("totals", tensors).items()}
        for number, (player, optimiser) in enumerate(self._moves):
            adam.restore(player, optimiser, _under(f"optimiser.{number}", tensors))
        torch.set_rng_state(tensors["random.cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self._device)
        for number, row in enumerate(at.history, start=1):
            _report(row, number)
        if at.finished:
            self._go_on()
        else:
            log.info("taking up the training at epoch %d, step %d", at.epoch + 1, at.step)

    def _go_on(self) -> None:
        at, until = self._at, self._options.until_epoch
        if until is None or until in (at.until_epoch, at.epoch):
            return  # done before, perhaps by patience
        at.finished, at.leg_start, at.leg_end = False, at.epoch, until
        at.until_epoch, at.best_epoch = until, at.epoch - 1

    def _save(self) -> None:
        if self._file is None:
            return
        tensors = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        tensors |= {f"totals.{name}": tensor for name, tensor in self._totals.items()}
        for number, (player, optimiser) in enumerate(self._moves):
            remembered = adam.moments(player, optimiser)
            tensors |= {f"optimiser.{number}.{name}": slot for name, slot in remembered.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self._device)
        state = {"fingerprint": self._fingerprint, "threads": self._threads, "position": asdict(self._at)}
        self._file.save(tensors, state)
        self._saved_at = time.monotonic()


_Found = tuple[dict[str, Tensor], dict[str, Any]]


def _report(row: dict[str, Any], step: int, **more: float) -> None:
    phase = row["phase"]
    values = {name: value for name, value in row.items() if isinstance(value, float)} | more
    progress.report({f"{phase}/{name}": value for name, value in values.items()}, step)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _fingerprint(samples: Samples, recipe: Recipe, device: torch.device) -> str:
    """Equal for trainings that take the same steps."""
    options = recipe.model_dump(mode="json", include={"loader", "training"})
    for name in ("until_epoch", "checkpoint_seconds"):
        del options["training"][name]
    if not recipe.loader.streams(samples):
        del options["loader"]["memory_budget"]
    parts = [choice.described() for choice in (recipe.model, *recipe.loader.corruptions)]
    versions = [torch.__version__, ae_pipelines.__version__]
    return canonical_sha256([samples.id, options, parts, device.type, versions])
