"""Tries a model on one small batch of zeros, so that what does not go together is found before training."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice, Player
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import corrupted_spec, training_shape
from ae_pipelines.models.method import Method
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.initial_encoder import InitialEncoder
from ae_pipelines.training.options import LoaderOptions
from ae_pipelines.training.suits import FOR_CONTENT, FOR_PIXELS, LARGEST_DRAWING

ALIKE = (0.75, 2)
"""How large images may be later, relative to the crops of training: beyond, a net sees things of a size it does not
know."""
TRIED = 4
"""Samples in the batch: batch norm needs two, and `views` rebuilds half of them."""


def tried_out(choice: ModelChoice, loader: LoaderOptions, task: Task, initial: InitialEncoder | None) -> Method:
    """The model, in evaluation mode; `InputError` if it cannot learn this task from such batches, or cannot start from
    the initial encoder."""
    with torch.random.fork_rng():
        model: Method = choice.build(task)
    model.start()
    if initial is not None:
        initial.give_to(model)
    shape = training_shape([one.build() for one in loader.corruptions], task.samples)
    batch = zeros(model, task, shape, min(TRIED, loader.batch_size))
    with torch.no_grad(), torch.random.fork_rng():
        with _of_another_size(shape, task) if shape != task.input_shape else nullcontext():
            for player in (player for phase in model.phases() for player in phase.players):
                _try(player, batch, loader.batch_size)
            model.try_completing(batch)
        later = torch.zeros(1, *task.input_shape)
        latent = model.eval().encode(later)[0].numel() if hasattr(model, "encode") else 0
    _refuse_other_corruptions(model, choice.kind, loader)
    if model.may_copy and not loader.corruptions and latent >= prod(task.input_shape):
        raise InputError(
            f"{latent} latents for samples of {prod(task.input_shape)} values: {choice.kind} would learn to "
            f"copy them. Give model.latent_size below {prod(task.input_shape)}, or a corruption, or a penalty"
        )
    return model


def caution(choice: ModelChoice, loader: LoaderOptions, model: Method, samples: SampleSpec) -> str | None:
    """A warning where these samples are photos, in colour or larger than `LARGEST_DRAWING`, and the method is one for
    drawings, or where crops for training are of quite another size; None if they suit it."""
    if len(samples.shape) != 3:
        return None
    if (said := _of_crops(loader, samples)) is not None:
        return said
    if not samples.bounded:
        return None
    channels, height, width = samples.shape
    if channels == 1 and max(height, width) <= LARGEST_DRAWING:
        return None
    these = f"images of {height} x {width}{' in colour' if channels > 1 else ''}"
    if any(isinstance(net, NetChoice) and net.flat for net in choice.check().values()):
        return (
            f"{these} go through a net that does not know which pixels are neighbours: a convolutional recipe suits "
            f"them, such as {FOR_PIXELS} (for reconstructions, odd samples) or {FOR_CONTENT} (for classes, groups, "
            "neighbours)"
        )
    if model.may_copy and not loader.corruptions:
        return (
            f"{these} are only reproduced pixel by pixel, so latents tell more of colours and backgrounds than of what "
            f"is shown: {FOR_CONTENT} is made for classes, groups and neighbours"
        )
    return None


def _of_crops(loader: LoaderOptions, samples: SampleSpec) -> str | None:
    corruptions = [one.build() for one in loader.corruptions]
    trained, later = min(training_shape(corruptions, samples)[1:]), min(corrupted_spec(corruptions, samples).shape[1:])
    if ALIKE[0] <= later / trained <= ALIKE[1]:
        return None
    return (
        f"training shows crops of {trained} pixels, but whole images are {later} pixels high or wide later, so that "
        f"things in them look of another size than those learned from: give crop a size near {round(0.75 * later)}, "
        "or bring images to another size (source.size)"
    )


def refuse_too_few_labels(model: Method, kind: str, numbers: np.ndarray, loader: LoaderOptions) -> None:
    """`InputError` unless samples of these class numbers (n,), -1 without a label, fill a batch to learn from."""
    teaching = int(model.learns_from(torch.from_numpy(numbers)).sum())
    if teaching < loader.batch_size:
        raise InputError(
            f"{kind} can learn from {teaching} of {len(numbers)} train samples only (others have no label, "
            f"or one that is kept from it), too few for a batch of {loader.batch_size}: give more labels "
            "or a smaller recipe.loader.batch_size"
        )


def zeros(model: Method, task: Task, shape: tuple[int, ...], count: int) -> Batch:
    """A batch of zeros with everything that any method wants; inputs are of this shape."""
    x, target = torch.zeros(count, *shape), torch.zeros(count, *task.samples.shape)
    batch = Batch(x, target, torch.arange(count), torch.zeros(count, dtype=torch.int64), x, 0)
    if model.wants_layout is None:
        return batch
    layout: Tensor = torch.zeros(count, model.wants_layout.components)
    return replace(batch, layout=layout)


@contextmanager
def _of_another_size(shape: tuple[int, ...], task: Task) -> Iterator[None]:
    """`InputError` if a model that is made for what it gets later does not take inputs of this shape in training."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            f"in training the model gets inputs of shape {shape}, and later of {task.input_shape}, but it does "
            "not take both: leave out crop's size, or give a larger one, or whole=resized, or take a net for images of "
            "any size, such as resnet"
        ) from error


def _try(player: Player, batch: Batch, batch_size: int) -> None:
    try:
        player.terms(batch)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):  # torch's, of batch norm
            raise
        raise InputError(
            f"batch norm cannot learn from one value per channel, in {player.name}, with "
            f"batches of {batch_size}: give a larger loader.batch_size, larger images or fewer channels"
        ) from error


def _refuse_other_corruptions(model: Method, kind: str, loader: LoaderOptions) -> None:
    if loader.corruptions and not model.takes_corruptions:
        raise InputError(f"{kind} does not look at corrupted inputs: leave loader.corruptions out")
    if model.undoes_corruptions and not loader.corruptions:
        raise InputError(
            f"{kind} learns to undo corruptions, but loader.corruptions is empty: give what is to be "
            "undone, such as [{kind: gaussian_noise, noise_level: 0.1, clip: true}]"
        )
    if model.wants_second_view and not loader.corruptions:
        raise InputError(
            f"{kind} learns from two corrupted views of each sample, but loader.corruptions is empty: "
            "give one, such as [{kind: gaussian_noise}]"
        )
