"""Loaders: `input = corrupt(target)`, whole batches at a time.

Samples stay as they are stored (uint8 or uint16 for images). Each batch is one gather, one cast and one scaling;
nothing is done per sample in Python. The order of an epoch is a function of (seed, epoch), and corruption
one of (seed, epoch, step), so a resumed training gets exactly the same batches.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Batch, Corrupt, Loader
from ae_pipelines.models.inputs import as_input, as_tensor
from ae_pipelines.samples.spec import Scaling
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.buffers import Memory

BLOCK_BYTES = 2**18
"""Size of the rows that are read together when samples are streamed: more reads faster, less shuffles better."""
BLOCK_ROWS = 1024
"""Most rows of a block, so that blocks of narrow rows are smaller."""
BUFFER_BYTES = 64 * 2**20
"""Size of each of the two buffers of streamed batches."""


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
        return self._rows[_permutation(len(self._rows), self.finish.seed, epoch).to(self._rows.device)]


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


class StreamedBatches:
    """Shuffled batches over some rows of a sample store that is larger than memory.

    Blocks of consecutive rows are read in random order into one of two buffers, by a thread that fills one
    while batches are drawn at random from the other. A buffer holds some 256 blocks, so a batch mixes
    samples from all over the store, even if it is sorted by class.
    """

    def __init__(
        self,
        samples: Samples,
        finish: Finish,
        *,
        rows: np.ndarray,
        batch_size: int,
        device: torch.device,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        """`rows`: positions, or a bool for each sample of the store, which takes an eighth of the memory."""
        self._wanted = np.zeros(len(samples), bool)
        self._wanted[rows] = True
        self.finish, self.batch_size, self._device = finish, batch_size, device
        self._count = int(np.count_nonzero(self._wanted))
        refuse_too_few(self._count, batch_size)
        self._files = samples.shard_files()
        self._block_rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // samples.spec.sample_bytes))
        self._blocks = _blocks([shard.rows for shard in samples.manifest.shards], self._block_rows)
        self._in_block = np.add.reduceat(self._wanted, self._blocks.first, dtype=np.int64)
        most = max(2, buffer_bytes // (self._block_rows * samples.spec.sample_bytes))
        self._in_buffer = min(most, len(self._blocks.first))
        self._shape = (self._in_buffer * self._block_rows, *samples.spec.shape)
        self._dtype = as_tensor(np.empty(0, samples.spec.dtype)).dtype

    def __len__(self) -> int:
        return self._count // self.batch_size

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        yield from map(self.made, self.drawn(epoch, start))

    def made(self, drawn: Drawn, generator: torch.Generator | None = None) -> Batch:
        """The batch of these samples. `generator`: seeded already, in place of a new one."""
        return self.finish(cast(Tensor, drawn.stored), drawn, generator)

    def drawn(self, epoch: int, start: int = 0) -> Iterator[Drawn]:
        """The samples of an epoch's batches, from step `start` on."""
        if start >= len(self):
            return
        groups = self._groups(epoch)
        ends = np.cumsum([int(self._in_block[group].sum()) for group in groups])
        first = int(np.searchsorted(ends, start * self.batch_size, side="right"))
        place = start * self.batch_size - (int(ends[first - 1]) if first else 0)
        parts = _parts(self._read_ahead(groups, epoch, first), place, self.batch_size)
        for step, (stored, rows) in zip(range(start, len(self)), parts, strict=False):
            yield Drawn(rows, stored, epoch, step, epoch * len(self) + step)

    def _groups(self, epoch: int) -> list[np.ndarray]:
        """The blocks of each buffer of an epoch, none much smaller than the others."""
        order = _permutation(len(self._blocks.first), self.finish.seed, epoch).numpy()
        return np.array_split(order, -(-len(order) // self._in_buffer))

    def _read_ahead(self, groups: list[np.ndarray], epoch: int, first: int) -> "Iterator[_Buffer]":
        """The buffers of an epoch from `first` on; while one is drawn from, the next is read."""
        memory = [Memory(self._shape, self._dtype, self._device) for _ in range(2)]
        with ThreadPoolExecutor(1, "read-ahead") as reader:

            def read(number: int) -> "Future[_Buffer]":
                seeds = (self.finish.seed, epoch, number, 1)
                return reader.submit(self._filled, memory[number % 2], groups[number], seeds)

            ahead = deque(read(number) for number in range(first, min(first + 2, len(groups))))
            for number in range(first + 2, len(groups) + 2):
                buffer, used = ahead.popleft().result(), memory[number % 2]
                used.receive(buffer.places, buffer.rows)
                yield buffer
                used.used_up()
                if number < len(groups):
                    ahead.append(read(number))  # into the buffer that is used up

    def _filled(self, memory: Memory, group: np.ndarray, seeds: tuple[int, ...]) -> "_Buffer":
        """The wanted rows of a group of blocks, read into `memory`, in random order.

        In numpy, since torch would start a second team of OpenMP threads for this thread, and the two teams
        would spin against each other: that made a training step 1.7 times as long.
        """
        places, rows = [], []
        memory.wait_until_sent()
        values = memory.read.numpy()
        for number, block in enumerate(group):
            first, end = int(self._blocks.first[block]), int(self._blocks.end[block])
            wanted = np.flatnonzero(self._wanted[first:end])
            if not len(wanted):
                continue
            at = number * self._block_rows
            file, row = self._files[self._blocks.shard[block]], int(self._blocks.row[block])
            file.read_into(values[at : at + end - first], row)
            places.append(wanted + at)
            rows.append(wanted + first)
        if not places:
            return _Buffer(memory.values, *memory.send(*(torch.empty(0, dtype=torch.int64) for _ in range(2))))
        shuffled = np.random.default_rng(seeds).permutation(sum(map(len, rows)))
        drawn = (torch.from_numpy(np.concatenate(parts)[shuffled]) for parts in (places, rows))
        return _Buffer(memory.values, *memory.send(*drawn))


_Part = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Buffer:
    """Rows in memory, in the order in which they are drawn."""

    values: Tensor
    places: Tensor
    """Where they are in `values`."""
    rows: Tensor
    """Their positions in the store."""

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, count: int) -> _Part:
        """A copy of some samples, and their positions."""
        part = slice(start, start + count)
        return self.values.index_select(0, self.places[part]), self.rows[part]


def _parts(buffers: Iterator[_Buffer], place: int, size: int) -> Iterator[_Part]:
    """`size` samples at a time, from `place` in the first buffer on; a last part with fewer is left out."""
    parts: list[_Part] = []
    missing = size
    for buffer in buffers:
        while place < len(buffer):
            parts.append(buffer.part(place, min(missing, len(buffer) - place)))
            place += len(parts[-1][1])
            missing -= len(parts[-1][1])
            if not missing:
                yield parts[0] if len(parts) == 1 else tuple(torch.cat(part) for part in zip(*parts, strict=True))  # type: ignore[misc]
                parts, missing = [], size
        place = 0


@dataclass(frozen=True)
class _Blocks:
    """Runs of consecutive rows, none of them across shards."""

    shard: np.ndarray
    row: np.ndarray
    """Place of the first row in its shard."""
    first: np.ndarray
    """Position of the first row in the store."""
    end: np.ndarray


def _blocks(shard_rows: list[int], size: int) -> _Blocks:
    rows = np.array(shard_rows, np.int64)
    start, blocks = np.cumsum(rows) - rows, -(-rows // size)
    shard = np.repeat(np.arange(len(rows)), blocks)
    row = size * (np.arange(len(shard)) - (np.cumsum(blocks) - blocks)[shard])
    return _Blocks(shard, row, start[shard] + row, start[shard] + np.minimum(row + size, rows[shard]))


def refuse_too_few(samples: int, batch_size: int) -> None:
    """`InputError` if the samples do not fill one batch."""
    if samples < batch_size:
        raise InputError(
            f"{samples} samples do not fill one batch of {batch_size}: give more samples or a smaller loader.batch_size"
        )


def _permutation(count: int, *seeds: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(stream_seed(*seeds)))


def stream_seed(*numbers: int) -> int:
    """One 63-bit seed for these numbers; similar numbers give unrelated streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
