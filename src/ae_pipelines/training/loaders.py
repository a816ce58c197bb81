"""Train, validation and test batches of a sample store, in memory or streamed, as the recipe says."""

import logging
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.downstream.layout import LayoutOptions, layout
from ae_pipelines.models.batch import Loader
from ae_pipelines.models.corruptions import one_after_another
from ae_pipelines.models.inputs import as_tensor
from ae_pipelines.models.method import Method
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.batches import Batches, Finish, OrderedBatches
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.options import LoaderOptions
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.streamed import BUFFER_BYTES, StreamedBatches

log = logging.getLogger(__name__)

VALIDATION_BATCH = 1024
GPU_SHARE = 0.5
"""Of a GPU's free memory that samples may take: a step needs some, too."""


def loaders(
    samples: Samples, recipe: Recipe, model: Method, device: torch.device, checkpoint: CheckpointFile | None = None
) -> tuple[Loader, Loader | None]:
    """Train batches, and validation batches if a share is held out, with what `model` wants in them.

    Samples that take more than `loader.memory_budget` are streamed. What takes long to prepare is kept beside
    `checkpoint`.
    """
    finish = _finish(samples, recipe, model, device)
    if model.wants_layout is not None:
        coordinates = torch.from_numpy(_layout(samples, recipe, model.wants_layout, checkpoint))
        finish = replace(finish, layout=coordinates.to(device))
    if streams(samples, recipe.loader, device):
        return _streamed(samples, recipe, model, finish, device)
    values = on_device(samples, device)
    training, held_out = _parts(samples, recipe, model, finish)
    validation = None
    if len(held_out):
        rows = torch.from_numpy(held_out)
        validation = Batches(values, finish, rows=rows, batch_size=VALIDATION_BATCH, shuffle=False)
    rows = torch.from_numpy(np.flatnonzero(training))
    return Batches(values, finish, rows=rows, batch_size=recipe.loader.batch_size), validation


def on_device(samples: Samples, device: torch.device) -> Tensor:
    """All samples as they are stored, on the device; the host holds a part of them at a time, if they go to a GPU."""
    if device.type != "cuda":
        return as_tensor(samples.read()).to(device)
    samples.verify()
    empty = as_tensor(np.empty(0, samples.spec.dtype))
    values, end = empty.new_empty((len(samples), *samples.spec.shape), device=device), 0
    for block in map(as_tensor, samples.blocks(max(1, BUFFER_BYTES // samples.spec.sample_bytes))):
        values[end : end + len(block)].copy_(block)
        end += len(block)
    return values


def streams(samples: Samples, options: LoaderOptions, device: torch.device) -> bool:
    """Whether these samples exceed the memory budget that counts on this device."""
    return samples.stored_bytes > memory_budget(options, device)


def memory_budget(options: LoaderOptions, device: torch.device) -> int:
    """The options' budget, in bytes; on a GPU, if that was left as it is, a share of the memory that is free there."""
    if device.type == "cuda" and options.memory_budget == LoaderOptions().memory_budget:
        return int(GPU_SHARE * torch.cuda.mem_get_info(device)[0])
    return options.memory_budget


def batches_of_test_split(samples: Samples, recipe: Recipe, model: Method, device: torch.device) -> Loader:
    """The test split in order, corrupted as the recipe says, always with any labels there are."""
    rows = samples.positions("test")
    finish = _finish(samples, recipe, model, device, labels=True)
    return OrderedBatches(samples, finish, rows=rows, batch_size=VALIDATION_BATCH, device=device)


def _layout(samples: Samples, recipe: Recipe, options: LayoutOptions, checkpoint: CheckpointFile | None) -> np.ndarray:
    learned_from, seed = recipe.learned_from(samples), recipe.training.seed

    def make() -> dict[str, Tensor]:
        return {"layout": torch.from_numpy(layout(samples, learned_from, options, seed))}

    if checkpoint is None:
        return make()["layout"].numpy()
    key = canonical_sha256([samples.id, learned_from.model_dump(), options.key(), seed])
    return checkpoint.beside("layout").made_once(key, make)["layout"].numpy()


def _finish(samples: Samples, recipe: Recipe, model: Method, device: torch.device, labels: bool = False) -> Finish:
    numbers = None
    if labels or model.wants_labels:
        numbers = torch.from_numpy(samples.label_numbers(samples.classes())).to(device)
    return Finish(
        **samples.spec.scaling._asdict(),
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
    training, held_out = _parts(samples, recipe, model, finish)
    log.info(
        "streaming %s samples of %.1f GB, above the memory budget of %.1f GB; %s held out",
        f"{len(samples):,}",
        samples.stored_bytes / 1e9,
        memory_budget(recipe.loader, device) / 1e9,
        f"{len(held_out):,}",
    )
    batches = StreamedBatches(
        samples,
        finish,
        rows=training,
        batch_size=recipe.loader.batch_size,
        device=device,
        buffer_bytes=min(BUFFER_BYTES, recipe.loader.memory_budget // 4),
    )
    if not len(held_out):
        return batches, None
    return batches, OrderedBatches(samples, finish, rows=held_out, batch_size=VALIDATION_BATCH, device=device)


def _parts(samples: Samples, recipe: Recipe, model: Method, finish: Finish) -> tuple[np.ndarray, np.ndarray]:
    """A bool for each sample, whether `model` learns from it, and the positions of those held out."""
    learned_from = recipe.learned_from(samples)
    training = samples.seen(learned_from)
    held_out = samples.seen(learned_from.model_copy(update={"validation_share": 0.0})) & ~training
    if finish.labels is not None:
        teaches = model.learns_from(finish.labels).cpu().numpy()
        training, held_out = training & teaches, held_out & teaches
    return training, np.flatnonzero(held_out)
