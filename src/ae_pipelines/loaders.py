"""Train and validation batches of a sample store, in memory or streamed, as the recipe says."""

import logging

import numpy as np
import torch

from ae_pipelines.batches import BUFFER_BYTES, Batches, Corrupt, Loader, StreamedBatches
from ae_pipelines.corruptions import one_after_another
from ae_pipelines.recipe import Recipe
from ae_pipelines.samples import Samples

log = logging.getLogger(__name__)

VALIDATION_BATCH = 1024
VALIDATION_PART = 16
"""Of streamed samples, validation ones are kept in memory: at most this part of the memory budget."""


def loaders(samples: Samples, recipe: Recipe, device: torch.device) -> tuple[Loader, Loader | None]:
    """Train batches, and validation batches if a share is held out.

    Samples that take more than `loader.memory_budget` are streamed.
    """
    corrupt = one_after_another([choice.build() for choice in recipe.loader.corruptions])
    if recipe.loader.streams(samples):
        return _streamed(samples, recipe, device, corrupt)
    values = torch.from_numpy(samples.read()).to(device)
    training, held_out = _parts(samples, recipe.training.validation_share)

    def batches(rows: np.ndarray, batch_size: int, shuffle: bool) -> Batches:
        return Batches(
            values,
            rows=torch.from_numpy(rows),
            batch_size=batch_size,
            scale=samples.spec.scale,
            seed=recipe.training.seed,
            corrupt=corrupt,
            shuffle=shuffle,
        )

    validation = batches(held_out, VALIDATION_BATCH, False) if len(held_out) else None
    return batches(training, recipe.loader.batch_size, True), validation


def _streamed(
    samples: Samples, recipe: Recipe, device: torch.device, corrupt: Corrupt | None
) -> tuple[Loader, Loader | None]:
    samples.verify()
    options, budget = recipe.training, recipe.loader.memory_budget
    most = budget / VALIDATION_PART / (len(samples) * samples.spec.sample_bytes)
    training, held_out = _parts(samples, min(options.validation_share, most))
    log.info(
        "streaming %s samples of %.1f GB, above the memory budget of %.1f GB; %s held out",
        f"{len(samples):,}",
        len(samples) * samples.spec.sample_bytes / 1e9,
        budget / 1e9,
        f"{len(held_out):,}",
    )
    batches = StreamedBatches(
        samples,
        rows=training,
        batch_size=recipe.loader.batch_size,
        device=device,
        seed=options.seed,
        corrupt=corrupt,
        buffer_bytes=min(BUFFER_BYTES, budget // 4),
    )
    validation = None
    if len(held_out):
        validation = Batches(
            torch.from_numpy(samples.take(held_out)).to(device),
            batch_size=VALIDATION_BATCH,
            scale=samples.spec.scale,
            seed=options.seed,
            corrupt=corrupt,
            shuffle=False,
        )
    return batches, validation


def _parts(samples: Samples, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the train samples to learn from, and of those held out."""
    held_out = samples.held_out(share)
    train = samples.rows("train")
    return train[~held_out[train]], held_out.nonzero()[0]
