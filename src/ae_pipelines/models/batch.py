"""Batches and their loaders: all that methods, nets and corruptions know about the data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Corrupt = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Batch:
    """What one training step gets; samples are (batch, *shape)."""

    input: Tensor
    """What the encoder is given."""
    target: Tensor
    """What the decoder should produce."""
    rows: Tensor
    """Which samples these are, (batch,): for parts that look something up per sample."""
    label: Tensor | None = None
    """Number of each sample's class, (batch,) int64, -1 where unknown; for methods that want labels."""
    second: Tensor | None = None
    """Another corruption of the same targets; for methods that want a second view."""
    step: int | Tensor | None = None
    """Number of batches of this phase that came before; None outside training. In a step that is recorded once and then
    repeated (`training/graphs.py`) a scalar on the device, for methods that want it (`wants_step`), else None."""
    layout: Tensor | None = None
    """Where each sample lies among its neighbours, (batch, components); for methods that want it."""

    @property
    def views(self) -> Tensor:
        """Both corruptions, one after the other, (2 · batch, *shape); `ValueError` if there is one only."""
        if self.second is None:
            raise ValueError("this batch has no second view: the method has to want one (wants_second_view)")
        return torch.cat([self.input, self.second])


class Loader(Protocol):
    """What the training loop takes batches from."""

    batch_size: int

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on; the same ones at every call."""
        ...


def clean(batch: Batch, shape: tuple[int, ...]) -> Tensor:
    """The samples as they are, if the encoder takes them later, in this shape; else as corruptions make them."""
    return batch.target if batch.target.shape[1:] == shape else batch.input


def first_batches(train: Loader, most: int) -> Iterator[Batch]:
    """The batches of the first epoch until there are `most` samples, or a few more."""
    seen = 0
    for batch in train.epoch(0):
        yield batch
        seen += len(batch.rows)
        if seen >= most:
            return


def global_generator(device: torch.device) -> torch.Generator:
    """torch's global generator of a device, which the training loop seeds and keeps in checkpoints."""
    return torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else torch.default_generator
