"""Train, validation and test batches of a sample store, in memory or streamed, as the recipe says."""

import logging

import numpy as np
import torch

from ae_pipelines.batches import BUFFER_BYTES, Batches, Finish, Loader, OrderedBatches, StreamedBatches
from ae_pipelines.corruptions import one_after_another
from ae_pipelines.models.method import Method
from ae_pipelines.recipe import Recipe
from ae_pipelines.samples import Samples

log = logging.getLogger(__name__)

VALIDATION_BATCH = 1024
VALIDATION_PART = 16
"""Of streamed samples, validation ones are read again in each epoch: at most this part of the memory budget."""


def loaders(samples: Samples, recipe: Recipe, model: Method, device: torch.device) -> tuple[Loader, Loader | None]:
    """Train batches, and validation batches if a share is held out, with what `model` wants in them.

    Samples that take more than `loader.memory_budget` are streamed.
    """
    finish = _finish(samples, recipe, model, device)
    if recipe.loader.streams(samples):
        return _streamed(samples, recipe, model, finish, device)
    values = torch.from_numpy(samples.read()).to(device)
    training, held_out = _parts(samples, model, finish, recipe.training.validation_share)
    validation = None
    if len(held_out):
        rows = torch.from_numpy(held_out)
        validation = Batches(values, finish, rows=rows, batch_size=VALIDATION_BATCH, shuffle=False)
    rows = torch.from_numpy(training)
    return Batches(values, finish, rows=rows, batch_size=recipe.loader.batch_size), validation


def batches_of_test_split(samples: Samples, recipe: Recipe, model: Method, device: torch.device) -> Loader:
    """The test split in order, corrupted as the recipe says, always with the labels there are."""
    rows = samples.rows("test")
    finish = _finish(samples, recipe, model, device, labels=True)
    return OrderedBatches(samples, finish, rows=rows, batch_size=VALIDATION_BATCH, device=device)


def _finish(samples: Samples, recipe: Recipe, model: Method, device: torch.device, labels: bool = False) -> Finish:
    numbers = None
    if labels or model.wants_labels:
        numbers = torch.from_numpy(samples.label_numbers(samples.classes())).to(device)
    return Finish(
        scale=samples.spec.scale,
        seed=recipe.training.seed,
        corrupt=one_after_another([choice.build() for choice in recipe.loader.corruptions]),
        binarise=recipe.loader.binarise,
        labels=numbers,
        second_view=model.wants_second_view,
    )


def _streamed(
    samples: Samples, recipe: Recipe, model: Method, finish: Finish, device: torch.device
) -> tuple[Loader, Loader | None]:
    samples.verify()
    options, budget = recipe.training, recipe.loader.memory_budget
    most = budget / VALIDATION_PART / (len(samples) * samples.spec.sample_bytes)
    training, held_out = _parts(samples, model, finish, min(options.validation_share, most))
    log.info(
        "streaming %s samples of %.1f GB, above the memory budget of %.1f GB; %s held out",
        f"{len(samples):,}",
        len(samples) * samples.spec.sample_bytes / 1e9,
        budget / 1e9,
        f"{len(held_out):,}",
    )
    batches = StreamedBatches(
        samples,
        finish,
        rows=training,
        batch_size=recipe.loader.batch_size,
        device=device,
        buffer_bytes=min(BUFFER_BYTES, budget // 4),
    )
    if not len(held_out):
        return batches, None
    return batches, OrderedBatches(samples, finish, rows=held_out, batch_size=VALIDATION_BATCH, device=device)


def _parts(samples: Samples, model: Method, finish: Finish, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the train samples that `model` learns from, and of those held out."""
    held_out = samples.held_out(share)
    train = np.zeros(len(samples), bool)
    train[samples.rows("train")] = True
    if finish.labels is not None:
        train &= model.learns_from(finish.labels).cpu().numpy()
    return np.flatnonzero(train & ~held_out), np.flatnonzero(train & held_out)
