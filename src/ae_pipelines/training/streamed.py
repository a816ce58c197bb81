"""Batches of samples that are read from their store while they are needed, in random order."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.models.batch import Batch
from ae_pipelines.models.inputs import as_tensor
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.batches import Drawn, Finish, permutation, refuse_too_few
from ae_pipelines.training.buffers import Memory

BLOCK_BYTES = 2**18
"""Size of the rows that are read together when samples are streamed: more reads faster, less shuffles better."""
BLOCK_ROWS = 1024
"""Most rows of a block, so that blocks of narrow rows are smaller."""
BUFFER_BYTES = 64 * 2**20
"""Size of each of the two buffers of streamed batches."""


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
        order = permutation(len(self._blocks.first), self.finish.seed, epoch).numpy()
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
