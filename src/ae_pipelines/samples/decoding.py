"""Decodes encoded samples into blocks of values: by several processes, and only content that is not known yet."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from ae_pipelines.base import seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import cpus, in_processes
from ae_pipelines.samples.decode_worker import Common, Outcome, bytes_of, decode_all, decoded
from ae_pipelines.samples.first_places import NOWHERE, FirstPlaces, keys_of
from ae_pipelines.samples.key_filter import KeyFilter
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
    """A growing set of sha256 digests, by their first 16 bytes; each takes two to three bytes of memory."""

    def __init__(self, folder: Path) -> None:
        """What memory does not hold lies in unnamed files in `folder`."""
        self._places = FirstPlaces(folder)
        self._count = 0

    def add(self, digests: Sequence[bytes]) -> np.ndarray:
        """Add digests; gives a bool for each: whether it was there before, or earlier among these."""
        places = np.arange(self._count, self._count + len(digests))
        self._count += len(digests)
        return self._places.add(keys_of(digests), places) != places

    def has(self, digests: Sequence[bytes]) -> np.ndarray:
        """A bool for each digest: whether it is in the set."""
        return self._places.find(keys_of(digests)) != NOWHERE


class Known:
    """Samples decoded by an earlier ingest, finished or not, found by the sha256 of their content.

    Each takes three to five bytes of memory. A shard is checked when it is first read from; samples of a damaged one
    are not known.
    """

    def __init__(self, folder: Path, spec: SampleSpec, key: str) -> None:
        self._shards: list[ShardFile] = []
        self._checked: dict[int, bool] = {}
        self._places = FirstPlaces(folder)
        paths, starts = list[Path](), [0]
        for path in sorted(folder.glob(known_name(key, "*"))):
            shard = folder / shard_name(path.stem.rpartition("-")[2])
            with suppress(OSError, ValueError, EOFError):
                seals.seal_of(path)
                found = np.load(path, mmap_mode="r", allow_pickle=False)
                if shard.exists() and found.dtype == np.uint8 and found.ndim == 2 and found.shape[1] == 32:
                    paths.append(path)
                    starts.append(starts[-1] + len(found))
                    self._shards.append(ShardFile(shard, spec))
        self._starts = np.array(starts)
        self.filter = KeyFilter(starts[-1])
        """Holds the first 8 bytes of each digest, for workers."""
        for path, start in zip(paths, starts, strict=False):
            keys = np.load(path, allow_pickle=False)[:, :16].copy().view(">u8").astype(np.uint64)
            self._places.add(keys, start + np.arange(len(keys)))
            self.filter.add(np.ascontiguousarray(keys[:, 0]))

    def places(self, digests: Sequence[bytes]) -> np.ndarray:
        """Where the sample of each content is, for `read`; `NOWHERE` if it is not known."""
        return self._places.find(keys_of(digests))

    def read(self, places: np.ndarray) -> list[np.ndarray | None]:
        """The samples (*shape) at `places`; None for one that is not available."""
        numbers = np.searchsorted(self._starts, places, side="right") - 1
        breaks = np.flatnonzero((np.diff(places) != 1) | (np.diff(numbers) != 0)) + 1
        found: list[np.ndarray | None] = []
        for run in np.split(np.arange(len(places)), breaks) if len(places) else []:
            number, place = int(numbers[run[0]]), int(places[run[0]])
            if place == NOWHERE or not self._is_intact(number):
                found += [None] * len(run)
            else:
                found += [*self._shards[number].rows(place - int(self._starts[number]), len(run))]
        return found

    def _is_intact(self, number: int) -> bool:
        if number not in self._checked:
            shard = self._shards[number]
            self._checked[number] = False
            with suppress(InputError):
                self._checked[number] = shard_name(shard.sha256()) == shard.path.name
        return self._checked[number]


class Decoding:
    """Decodes the blocks of an encoded source, and counts what was decoded and reused."""

    def __init__(self, source: EncodedSource, folder: Path, spec: SampleSpec) -> None:
        self._source, self._spec = source, spec
        self.key = canonical_sha256([spec.decoded, source.decoding()])[:16]
        """Where this is equal, so are the decoded values and the rejects."""
        self._known = Known(folder, spec, self.key)
        self.contents = Digests(folder)
        """Digests of all content read."""
        self.decoded = self.reused = 0

    def blocks(self, count: int | None, workers: int | None) -> Iterator[Block]:
        """The source's samples in its order; `count` is their number, if known."""
        common = Common(self._source.decode, self._known.filter)
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
        outcomes, known = self._looked_up(task.contents, outcomes)
        repeated = self.contents.add([outcome.digest for outcome in outcomes])
        for place, (name, outcome) in enumerate(zip(task.ids, outcomes, strict=True)):
            sample, reason = None, outcome.reason
            if reason is None and repeated[place]:
                reason = DUPLICATE
            if reason is None:
                sample, reason = self._sample_or_reason(outcome, known.get(place), task.contents[place])
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

    def _looked_up(
        self, contents: Sequence[Path] | Sequence[bytes], outcomes: list[Outcome]
    ) -> tuple[list[Outcome], dict[int, np.ndarray]]:
        """Outcomes, with those decoded that a worker took for known ones by mistake; and by place, samples that are
        known."""
        asked = [place for place, outcome in enumerate(outcomes) if outcome.values is None and outcome.reason is None]
        where = self._known.places([outcomes[place].digest for place in asked])
        for place in np.array(asked, int)[where == NOWHERE].tolist():
            outcomes[place] = decoded(self._source.decode, bytes_of(contents[place]), outcomes[place].digest)
        found = zip(asked, self._known.read(where), strict=True)
        return outcomes, {place: sample for place, sample in found if sample is not None}

    def _sample_or_reason(
        self, outcome: Outcome, known: np.ndarray | None, content: Path | bytes
    ) -> tuple[np.ndarray | None, str | None]:
        """The sample and None, or None and the reason."""
        if known is not None:
            self.reused += 1
            return known, None
        self.decoded += 1
        if outcome.values is None:  # of a damaged shard
            outcome = decoded(self._source.decode, bytes_of(content), outcome.digest)
        return outcome.values, outcome.reason


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
