"""Decodes encoded samples into blocks of values: by several processes, and only content that is not known yet."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.base.executors import cpus, in_processes
from ae_pipelines.samples.decode_worker import Common, Outcome, bytes_of, decode_all
from ae_pipelines.samples.shards import ShardFile, known_name, shard_name
from ae_pipelines.samples.source import Block, Copy, EncodedBlock, EncodedSource, Reject
from ae_pipelines.samples.spec import SampleSpec

Value = TypeVar("Value")

DUPLICATE = "duplicate: its content is there already, see the sample with the same sha256"
TASK_BYTES = 8 * 2**20
"""Size of decoded samples that a worker returns at once."""
ALONE = 256
"""Up to this many samples are decoded in this process: starting workers takes longer."""


class Digests:
    """A growing set of sha256 digests, by their first 16 bytes: each takes 16 bytes of memory."""

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []
        """Sorted arrays, each at least twice as long as the next."""

    def add(self, digests: Sequence[bytes]) -> np.ndarray:
        """Add digests; gives a bool for each: whether it was there before, or earlier among these."""
        found = _short(digests)
        there = np.zeros(len(found), bool)
        there[np.setdiff1d(np.arange(len(found)), np.unique(found, return_index=True)[1])] = True
        for older in self._sorted:
            there |= _places(older, found) >= 0
        if not there.all():
            self._sorted.append(np.sort(found[~there]))
        while len(self._sorted) > 1 and len(self._sorted[-2]) < 2 * len(self._sorted[-1]):
            self._sorted[-2:] = [np.sort(np.concatenate(self._sorted[-2:]))]
        return there

    def has(self, digests: Sequence[bytes]) -> np.ndarray:
        """A bool for each digest: whether it is in the set."""
        there = np.zeros(len(digests), bool)
        for older in self._sorted:
            there |= _places(older, _short(digests)) >= 0
        return there


class Known:
    """Samples decoded by an earlier ingest, finished or not, found by the sha256 of their content.

    Each takes 32 bytes of memory. A shard is checked when it is first read from; samples of a damaged one
    are not known.
    """

    def __init__(self, folder: Path, spec: SampleSpec, key: str) -> None:
        self._shards: list[ShardFile] = []
        self._checked: dict[int, bool] = {}
        digests, numbers, rows = [_short([])], [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for path in sorted(folder.glob(known_name(key, "*"))):
            shard = folder / shard_name(path.stem.rpartition("-")[2])
            with suppress(OSError, ValueError, EOFError):
                found = np.load(path, allow_pickle=False)
                if shard.exists() and found.dtype == np.uint8 and found.ndim == 2 and found.shape[1] == 32:
                    digests.append(np.ascontiguousarray(found[:, :16]).view("S16").ravel())
                    numbers.append(np.full(len(found), len(self._shards), np.int32))
                    rows.append(np.arange(len(found), dtype=np.int32))
                    self._shards.append(ShardFile(shard, spec))
        all_digests = np.concatenate(digests)
        order = np.argsort(all_digests, kind="stable")
        self._digests = all_digests[order]
        self._numbers, self._rows = (np.concatenate(parts)[order] for parts in (numbers, rows))

    @property
    def starts(self) -> np.ndarray:
        """`start_of` each digest, sorted, for workers to look content up in."""
        return np.frombuffer(self._digests.tobytes(), ">u8")[::2].astype(np.uint64)

    def read(self, digest: bytes) -> np.ndarray | None:
        """The sample (*shape) whose content has this sha256; None if it is not available."""
        place = int(_places(self._digests, _short([digest]))[0])
        if place < 0 or not self._is_intact(int(self._numbers[place])):
            return None
        return self._shards[int(self._numbers[place])].rows(int(self._rows[place]), 1)[0]

    def _is_intact(self, number: int) -> bool:
        if number not in self._checked:
            shard = self._shards[number]
            self._checked[number] = False
            with suppress(InputError):
                self._checked[number] = shard_name(shard.sha256()) == shard.path.name
        return self._checked[number]


def _short(digests: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digest[:16] for digest in digests), "S16")


def _places(among: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Position of each wanted value in a sorted array; -1 if it is not there."""
    if not len(among):
        return np.full(len(wanted), -1)
    places = np.searchsorted(among, wanted).clip(max=len(among) - 1)
    return np.where(among[places] == wanted, places, -1)


class Decoding:
    """Decodes the blocks of an encoded source, and counts what was decoded and reused."""

    def __init__(self, source: EncodedSource, folder: Path, spec: SampleSpec) -> None:
        self._source, self._spec = source, spec
        self.key = canonical_sha256([spec.decoded, source.decoding()])[:16]
        """Where this is equal, so are the decoded values and the rejects."""
        self._known = Known(folder, spec, self.key)
        self.contents = Digests()
        """Digests of all content read."""
        self.decoded = self.reused = 0

    def blocks(self, count: int | None, workers: int | None) -> Iterator[Block]:
        """The source's samples in its order; `count` is their number, if known."""
        common = Common(self._source.decode, self._known.starts)
        waiting: deque[EncodedBlock] = deque()

        def contents() -> Iterator[Sequence[Path] | Sequence[bytes]]:
            for block in self._source.blocks():
                for task in _tasks(block, self._spec):
                    waiting.append(task)
                    yield task.contents

        outcomes: Iterator[list[Outcome]]
        if (workers or cpus()) == 1 or (count is not None and count <= ALONE):
            outcomes = (decode_all(common, some) for some in contents())
        else:
            outcomes = in_processes(decode_all, common, contents(), workers)
        for found in outcomes:
            yield self._block(waiting.popleft(), found)

    def _block(self, task: EncodedBlock, outcomes: list[Outcome]) -> Block:
        values: list[np.ndarray] = []
        rejects, kept, copies = list(task.rejects), [], []
        repeated = self.contents.add([outcome.digest for outcome in outcomes])
        for place, (name, outcome) in enumerate(zip(task.ids, outcomes, strict=True)):
            sample, reason = None, outcome.reason
            if reason is None and repeated[place]:
                reason = DUPLICATE
            if reason is None:
                sample, reason = self._sample_or_reason(outcome, task.contents[place])
            if sample is None:
                rejects.append(Reject(name, outcome.digest.hex(), str(reason)))
                if reason == DUPLICATE and (task.labels or task.splits):
                    label = task.labels[place] if task.labels else None
                    split = task.splits[place] if task.splits else None
                    copies.append(Copy(name, outcome.digest.hex(), label, split))
            else:
                values.append(sample)
                kept.append(place)
        shape = (len(values), *self._spec.shape)
        return Block(
            values=np.stack(values) if values else np.empty(shape, self._spec.dtype),
            ids=_select(kept, task.ids),
            labels=task.labels and _select(kept, task.labels),
            splits=task.splits and _select(kept, task.splits),
            sha256=[outcomes[place].digest.hex() for place in kept],
            rejects=rejects,
            copies=copies,
        )

    def _sample_or_reason(self, outcome: Outcome, content: Path | bytes) -> tuple[np.ndarray | None, str | None]:
        """The sample and None, or None and the reason."""
        if outcome.values is None and (known := self._known.read(outcome.digest)) is not None:
            self.reused += 1
            return known, None
        self.decoded += 1
        if outcome.values is not None:
            return outcome.values, None
        try:
            return self._source.decode(bytes_of(content)), None
        except Unusable as fault:
            return None, str(fault)


def _tasks(block: EncodedBlock, spec: SampleSpec) -> Iterator[EncodedBlock]:
    """Parts of a block of at most about `TASK_BYTES`, encoded and decoded, or of one sample."""
    encoded = max((len(content) for content in block.contents if isinstance(content, bytes)), default=0)
    size = max(1, TASK_BYTES // max(spec.sample_bytes, encoded))
    for start in range(0, max(1, len(block.ids)), size):
        part = slice(start, start + size)
        yield EncodedBlock(
            contents=block.contents[part],
            ids=block.ids[part],
            labels=block.labels and block.labels[part],
            splits=block.splits and block.splits[part],
            rejects=() if start else block.rejects,
        )


def _select(places: list[int], values: Sequence[Value]) -> list[Value]:
    return [values[place] for place in places]
