"""Loaders: `input = corrupt(target)`, whole batches at a time.

Samples stay as they are stored (uint8 or uint16 for images). Each batch is one gather, one cast and one scaling;
nothing is done per sample in Python. The order of an epoch is a function of (seed, epoch), and corruption
one of (seed, epoch, step), so a resumed training gets exactly the same batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Batch, Corrupt, Loader
from ae_pipelines.models.inputs import as_input, as_tensor
from ae_pipelines.samples.spec import Scaling
from ae_pipelines.samples.store import Samples


@dataclass(frozen=True)
class Finish:
    """Makes batches of samples as they are stored: cast, scaled, corrupted."""

    scale: float
    """Factor of the stored values, 1/255 for images of 8 bits; this and the next two are a spec's `scaling`."""
    offset: float = 0.0
    """What is subtracted before."""
    clip: bool = False
    """Whether what is then beyond [0, 1] is cut to it."""
    seed: int = 0
    corrupt: Corrupt | None = None
    binarise: bool = False
    """Whether each value of the target becomes 1 with itself as the probability, else 0; anew in each epoch."""
    labels: Tensor | None = None
    """Number of each sample's class, by its position; None: batches have no labels."""
    second_view: bool = False
    """Whether batches have a second corruption of their targets."""
    layout: Tensor | None = None
    """Coordinates of each sample, by its position; None: batches have no layout."""

    @property
    def draws(self) -> bool:
        """Whether there is anything random in batches."""
        return self.corrupt is not None or self.binarise

    def __call__(self, stored: Tensor, drawn: "Drawn", generator: torch.Generator | None = None) -> Batch:
        """The batch of these samples; `stored` (batch, *shape) must not be used by anything else. `generator`: seeded
        already, in place of a new one."""
        rows, step = drawn.rows, drawn.step
        target = as_input(stored, Scaling(self.scale, self.offset, self.clip))
        label = None if self.labels is None else self.labels[rows]
        layout = None if self.layout is None else self.layout[rows]
        if not self.draws:
            return Batch(target, target, rows, label, target if self.second_view else None, step, layout)
        if generator is None:
            generator = torch.Generator(target.device).manual_seed(self.seed_of(drawn))
        if self.binarise:
            target = torch.bernoulli(target, generator=generator)
        corrupted = self._corrupted(target, generator)
        second = self._corrupted(target, generator) if self.second_view else None
        return Batch(corrupted, target, rows, label, second, step, layout)

    def seed_of(self, drawn: "Drawn") -> int:
        """Seed of what is random in this batch."""
        return stream_seed(self.seed, drawn.epoch, drawn.number)

    def _corrupted(self, target: Tensor, generator: torch.Generator) -> Tensor:
        return target if self.corrupt is None else self.corrupt(target, generator)


@dataclass(frozen=True)
class Drawn:
    """The samples of a batch, before they become one."""

    rows: Tensor
    """Their positions, (batch,)."""
    stored: Tensor | None
    """Their values, (batch, *shape), as they are stored; None: these are gathered when the batch is made."""
    epoch: int
    number: int
    """Of the batch in its epoch."""
    step: int | Tensor | None
    """As in a `Batch`."""


class Drawing(Loader, Protocol):
    """A loader that first draws samples and then makes batches of them, so that the latter can be recorded on a device
    (`graphs`)."""

    finish: Finish

    def drawn(self, epoch: int, start: int = 0) -> Iterator[Drawn]:
        """The samples of an epoch's batches, from step `start` on."""
        ...

    def made(self, drawn: Drawn, generator: torch.Generator | None = None) -> Batch:
        """The batch of these samples. `generator`: seeded already, in place of a new one."""
        ...


class Batches:
    """Batches over some rows of a resident tensor of samples.

    Shuffled batches leave out the few samples that do not fill the last batch of an epoch (other ones in
    each epoch); ordered ones keep them.
    """

    def __init__(
        self,
        samples: Tensor,
        finish: Finish,
        *,
        rows: Tensor | None = None,
        batch_size: int,
        shuffle: bool = True,
    ) -> None:
        self._samples, self.finish = samples, finish
        self._rows = (torch.arange(len(samples)) if rows is None else rows).to(samples.device)
        self.batch_size, self._shuffle = batch_size, shuffle
        refuse_too_few(len(self._rows), batch_size if shuffle else 1)

    def __len__(self) -> int:
        return len(self._rows) // self.batch_size if self._shuffle else -(-len(self._rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        yield from map(self.made, self.drawn(epoch, start))

    def drawn(self, epoch: int, start: int = 0) -> Iterator[Drawn]:
        """The samples of an epoch's batches, from step `start` on."""
        order = self._order(epoch)
        for number in range(start, len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield Drawn(rows, None, epoch, number, epoch * len(self) + number if self._shuffle else None)

    def made(self, drawn: Drawn, generator: torch.Generator | None = None) -> Batch:
        """The batch of these samples. `generator`: seeded already, in place of a new one."""
        return self.finish(self._samples.index_select(0, drawn.rows), drawn, generator)

    def _order(self, epoch: int) -> Tensor:
        if not self._shuffle:
            return self._rows
        return self._rows[permutation(len(self._rows), self.finish.seed, epoch).to(self._rows.device)]


class OrderedBatches:
    """Batches over some rows of a sample store, in order, each read when it is needed."""

    def __init__(
        self, samples: Samples, finish: Finish, *, rows: np.ndarray, batch_size: int, device: torch.device
    ) -> None:
        self._samples, self._finish, self._rows = samples, finish, rows
        self.batch_size, self._device = batch_size, device

    def __len__(self) -> int:
        return -(-len(self._rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        for number in range(start, len(self)):
            rows = self._rows[number * self.batch_size : (number + 1) * self.batch_size]
            values, places = (as_tensor(part).to(self._device) for part in (self._samples.take(rows), rows))
            yield self._finish(values, Drawn(places, None, epoch, number, None))


def refuse_too_few(samples: int, batch_size: int) -> None:
    """`InputError` if the samples do not fill one batch."""
    if samples < batch_size:
        raise InputError(
            f"{samples} samples do not fill one batch of {batch_size}: give more samples or a smaller loader.batch_size"
        )


def permutation(count: int, *seeds: int) -> Tensor:
    """A random order of so many, (count,), int64; the same seeds give the same."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(stream_seed(*seeds)))


def stream_seed(*numbers: int) -> int:
    """One 63-bit seed for these numbers; similar numbers give unrelated streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
