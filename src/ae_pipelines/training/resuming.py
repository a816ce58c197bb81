"""Where a training is, and whether an earlier one is taken up."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import ae_pipelines
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.models.method import Method, of_half
from ae_pipelines.models.weights import tensors_sha256
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.devices import name_of
from ae_pipelines.training.loaders import streams
from ae_pipelines.training.recipe import Recipe

History = list[dict[str, Any]]
"""A row for each epoch: phase, epoch, learning rate, and every loss term on train and validation batches."""

ADDED = (("vector_size", 64), ("shift_unit", "pixels"), ("execution", "auto"), ("deterministic", False))
"""Options and values with which steps are what they were before there were these."""

Found = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors and state of a checkpoint."""


@dataclass
class Position:
    """Where a training is: all of its state that is not a tensor."""

    phase: int = 0
    epoch: int = 0
    """Within the phase."""
    step: int = 0
    """Within the epoch."""
    leg_start: int = 0
    """The schedule runs from this epoch to `leg_end`; a continued training has a new leg."""
    leg_end: int = 0
    until_epoch: int | None = None
    best: float = math.inf
    best_epoch: int = -1
    finished: bool = False
    completing: bool = False
    """Whether phases are over, and what the method learns after them is not yet kept."""
    gradient_norm: float = 0.0
    history: History = field(default_factory=list)

    def start_phase(self, phase: int) -> None:
        """Go to the first epoch of another phase."""
        self.phase, self.epoch, self.best, self.best_epoch = phase, 0, math.inf, -1

    def go_on(self, until: int | None) -> None:
        """Continue a finished training up to epoch `until`, unless that was done before."""
        if until is None or until in (self.until_epoch, self.epoch):
            return  # done before, perhaps ended by patience
        self.finished, self.leg_start, self.leg_end = False, self.epoch, until
        self.until_epoch, self.best_epoch = until, self.epoch - 1


def of_same_recipe(file: CheckpointFile | None, fingerprint: str) -> Found | None:
    """The checkpoint in `file`, if it is of a training with the same steps."""
    found = file.load() if file is not None else None
    return found if found is not None and found[1]["fingerprint"] == fingerprint else None


def to_take_up(found: Found | None, until: int | None) -> Found | None:
    """`found` if that training is unfinished or, with `until`, finished and to be continued."""
    if found is None:
        if until is not None:
            raise InputError(
                f"training.until_epoch is {until}, but there is no finished training of this recipe on these "
                "samples to continue: train once without until_epoch"
            )
        return None
    at = found[1]["position"]
    if until is not None and not at["finished"] and at["until_epoch"] != until:
        raise InputError(
            f"training.until_epoch is {until}, but the training so far stopped at epoch {at['epoch']} of "
            f"{at['leg_end']}: run it again as it was to finish it first"
        )
    if until is not None and until < at["epoch"]:
        raise InputError(f"training.until_epoch is {until}, but the finished training has {at['epoch']} epochs")
    done = at["finished"] and not at.get("completing", False)
    afresh = until is None and (done or at["until_epoch"] is not None)
    return None if afresh else found


def _as_before(part: dict[str, Any]) -> dict[str, Any]:
    """Without options that were added and left as they are, so that trainings from before them are taken up."""
    return {name: value for name, value in part.items() if (name, value) not in ADDED}


def fingerprint(samples: Samples, recipe: Recipe, model: Method, device: torch.device) -> str:
    """A hash that is equal for trainings of `model`, as it starts, that take the same steps."""
    options = recipe.model_dump(mode="json", include={"loader", "training"})
    options["training"] = _as_before(options["training"])
    start = options["training"].pop("initial_encoder") and tensors_sha256(of_half(model.state_dict(), "encoder"))
    for name in ("until_epoch", "checkpoint_seconds"):
        del options["training"][name]
    if not streams(samples, recipe.loader, device):
        del options["loader"]["memory_budget"]
    layout = model.wants_layout
    parts = [_as_before(choice.described()) for choice in (recipe.model, *recipe.loader.corruptions)]
    versions = [torch.__version__, ae_pipelines.__version__]
    elsewhere = [] if model.elsewhere is None else [model.elsewhere.sha256]
    key = layout and layout.key()
    return canonical_sha256([samples.id, options, start, parts, key, name_of(device), versions, *elsewhere])


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a checkpoint whose names start with "<prefix>.", without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
