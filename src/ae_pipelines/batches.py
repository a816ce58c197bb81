"""The loader an autoencoder wants: no labels, `input = corrupt(target)`, whole batches at a time.

Samples stay as they are stored (uint8 for images) in one tensor. Each batch is one gather, one cast and
one scaling; nothing is done per sample in Python. The order of an epoch is a function of (seed, epoch),
and corruption one of (seed, epoch, step), so a resumed training sees the very same batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ae_pipelines.errors import InputError

Corrupt = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Batch:
    """What a training step sees; both images have shape (batch, *shape)."""

    input: Tensor
    """What the encoder is given."""
    target: Tensor
    """What the decoder should produce."""
    rows: Tensor
    """Which samples these are, (batch,): for parts that look something up per sample."""


class Batches:
    """Batches over some rows of a resident tensor of samples.

    `scale` turns a stored value into an input (1/255 for images). Shuffled batches leave out the few
    samples that do not fill the last batch of an epoch (others each epoch); ordered ones keep them.
    """

    def __init__(
        self,
        samples: Tensor,
        *,
        rows: Tensor | None = None,
        batch_size: int,
        scale: float,
        seed: int = 0,
        corrupt: Corrupt | None = None,
        shuffle: bool = True,
    ) -> None:
        self._samples = samples
        self._rows = (torch.arange(len(samples)) if rows is None else rows).to(samples.device)
        self._scale, self._seed, self._corrupt = scale, seed, corrupt
        self.batch_size, self._shuffle = batch_size, shuffle
        if len(self._rows) < (batch_size if shuffle else 1):
            raise InputError(
                f"{len(self._rows)} samples do not fill one batch of {batch_size}: "
                "give more samples or a smaller loader.batch_size"
            )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._rows) // self.batch_size if self._shuffle else -(-len(self._rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        order = self._order(epoch)
        for step in range(start, len(self)):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            target = self._samples.index_select(0, rows).to(torch.float32)
            if self._scale != 1.0:
                target.mul_(self._scale)
            yield Batch(self._corrupted(target, epoch, step), target, rows)

    def _order(self, epoch: int) -> Tensor:
        if not self._shuffle:
            return self._rows
        generator = torch.Generator().manual_seed(stream_seed(self._seed, epoch))
        return self._rows[torch.randperm(len(self._rows), generator=generator).to(self._rows.device)]

    def _corrupted(self, target: Tensor, epoch: int, step: int) -> Tensor:
        if self._corrupt is None:
            return target
        generator = torch.Generator(target.device).manual_seed(stream_seed(self._seed, epoch, step))
        return self._corrupt(target, generator)


def stream_seed(*numbers: int) -> int:
    """One 63-bit seed for these numbers; near numbers give unrelated streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
