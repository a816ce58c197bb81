"""Which keys were there before: for any number of them, in little memory.

Keys lie in sorted runs in unnamed files, each at least twice as long as the next, which is merged into it when it is
not (a log-structured merge tree, O'Neil et al. 1996). In memory there are the latest keys, a filter for each run, and
every `PAGE`-th key.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from ae_pipelines.samples.key_filter import KeyFilter

RECENT = 2**18
"""Keys that are held in memory."""
CHUNK = 2**15
"""Keys that are read at once where runs are merged."""
PAGE = 64
"""Keys that are read to find one."""
SOUGHT = 1024
"""Keys that are looked up at once in a file."""
NOWHERE = -1


class FirstPlaces:
    """A growing table of the place that each key was first added with; two to three bytes of memory a key.

    Keys are (n, 2) uint64, of which the first are as good as random; places are int64 from 0 on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        """Where files are while this object lives; 24 bytes a key, twice that when runs are merged."""
        self._recent: list[_Sorted] = []
        self._runs: list[_Run] = []

    def add(self, keys: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Add keys, unless they are there; gives the place that each was first added with, here or before."""
        found = self.find(keys)
        new = np.flatnonzero(found == NOWHERE)
        if len(new):
            order, first = _by_key(keys[new])
            group = np.cumsum(first) - 1
            high, low = keys[new[order[first]]].T.copy()
            kept = _Sorted(high, low, places[new[order[first]]])
            found[new[order]] = kept.places[group]
            self._keep(kept)
        return found

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The place that each key was first added with; `NOWHERE` for one that is not there."""
        order = np.argsort(keys[:, 0])  # near keys are found together
        high, low = keys[order].T.copy()
        tables: list[_Sorted | _Run] = [*self._recent, *self._runs]
        places = np.full(len(keys), NOWHERE, np.int64)
        for table in tables:
            np.maximum(places, table.find(high, low), out=places)
        found = np.empty_like(places)
        found[order] = places
        return found

    def _keep(self, records: "_Sorted") -> None:
        self._recent.append(records)
        while len(self._recent) > 1 and len(self._recent[-2]) < 2 * len(self._recent[-1]):
            self._recent[-2:] = [_Sorted.of(self._recent[-2:])]
        if sum(map(len, self._recent)) < RECENT:
            return
        recent = _Sorted.of(self._recent)
        self._runs.append(_Run.written(self._folder, len(recent), [recent.records()]))
        self._recent = []
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            older, newer = self._runs[-2:]
            self._runs[-2:] = [_Run.written(self._folder, len(older) + len(newer), _merged(older, newer))]


def keys_of(digests: Iterable[bytes]) -> np.ndarray:
    """The first 16 bytes of each digest, as a key: (n, 2), uint64."""
    return np.frombuffer(b"".join(digest[:16] for digest in digests), ">u8").astype(np.uint64).reshape(-1, 2)


def short_keys(numbers: np.ndarray) -> np.ndarray:
    """Keys of numbers (n,) that are as good as random."""
    return np.stack([numbers.astype(np.uint64), np.zeros(len(numbers), np.uint64)], axis=1)


def _by_key(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of keys, those that are equal as they come; and for each in that order, whether it is the first of
    its kind."""
    high = keys[:, 0]
    order = np.argsort(high, kind="stable")
    if (high[order][1:] == high[order][:-1]).any():
        order = np.lexsort((keys[:, 1], high))
    ordered = keys[order]
    return order, np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])


@dataclass(frozen=True)
class _Sorted:
    """Different keys, sorted by their first half, with their places."""

    high: np.ndarray
    low: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, tables: "Sequence[_Sorted]") -> Self:
        high, low, places = (
            np.concatenate([getattr(table, name) for table in tables]) for name in ("high", "low", "places")
        )
        order = np.argsort(high, kind="stable")
        return cls(high[order], low[order], places[order])

    @classmethod
    def read(cls, records: np.ndarray) -> Self:
        """From records (n, 3), uint64."""
        high, low, places = records.T
        return cls(high.copy(), low.copy(), places.astype(np.int64))

    def records(self) -> np.ndarray:
        """As they lie in files: (n, 3), uint64."""
        return np.stack([self.high, self.low, self.places.astype(np.uint64)], axis=1)

    def __len__(self) -> int:
        return len(self.high)

    def find(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """The places of keys, by their halves, of which the first ascend; `NOWHERE` for those that are not there."""
        found = np.full(len(high), NOWHERE, np.int64)
        at, wanted = np.searchsorted(self.high, high), np.arange(len(high))
        while len(wanted):  # once more only where other keys have the same first half
            inside = at[wanted] < len(self)
            wanted = wanted[inside]
            wanted = wanted[self.high[at[wanted]] == high[wanted]]
            equal = self.low[at[wanted]] == low[wanted]
            found[wanted[equal]] = self.places[at[wanted[equal]]]
            wanted = wanted[~equal]
            at[wanted] += 1
        return found


class _Run:
    """Sorted records in an unnamed file."""

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file, self._count = file, count
        self._filter = KeyFilter(count)
        self._fences = np.empty(-(-count // PAGE), np.uint64)

    @classmethod
    def written(cls, folder: Path, count: int, pieces: Iterable[np.ndarray]) -> Self:
        """A run of `count` records, given sorted, in pieces (n, 3)."""
        run = cls(tempfile.TemporaryFile(dir=folder, buffering=0), count)  # noqa: SIM115
        done = 0
        for records in pieces:
            high = np.ascontiguousarray(records[:, 0])
            run._filter.add(high)
            first = -done % PAGE
            some = high[first::PAGE]
            run._fences[(done + first) // PAGE :][: len(some)] = some
            records.tofile(run._file)
            done += len(records)
        return run

    def __len__(self) -> int:
        return self._count

    def chunks(self) -> Iterator[np.ndarray]:
        for start in range(0, self._count, CHUNK):
            yield self._read(start, min(start + CHUNK, self._count))

    def find(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """As `_Sorted.find`."""
        found = np.full(len(high), NOWHERE, np.int64)
        some = np.flatnonzero(self._filter.may_hold(high))
        for start in range(0, len(some), SOUGHT):
            rows = some[start : start + SOUGHT]
            found[rows] = self._near(high[rows]).find(high[rows], low[rows])
        return found

    def _near(self, high: np.ndarray) -> _Sorted:
        """The pages on which keys with these first halves, which ascend, would be."""
        first = np.maximum(np.searchsorted(self._fences, high) - 1, 0)
        end = np.searchsorted(self._fences, high, side="right")
        apart = first[1:] > end[:-1]
        starts, stops = first[np.append(True, apart)], np.minimum(end[np.append(apart, True)] * PAGE, self._count)
        spans = zip((starts * PAGE).tolist(), stops.tolist(), strict=True)
        return _Sorted.read(np.concatenate([self._read(start, stop) for start, stop in spans]))

    def _read(self, start: int, stop: int) -> np.ndarray:
        """Records from `start` to `stop`, (n, 3)."""
        content = os.pread(self._file.fileno(), 24 * (stop - start), 24 * start)
        return np.frombuffer(content, np.uint64).reshape(-1, 3)


def _merged(older: _Run, newer: _Run) -> Iterator[np.ndarray]:
    """The records of both, sorted, a few at a time."""
    sides = [older.chunks(), newer.chunks()]
    rest = [next(side) for side in sides]
    while all(map(len, rest)):
        last = min(records[-1, 0] for records in rest)
        counts = [int(np.searchsorted(records[:, 0], last, side="right")) for records in rest]
        piece = np.concatenate([records[:count] for records, count in zip(rest, counts, strict=True)])
        yield piece[np.argsort(piece[:, 0], kind="stable")]
        rest = [records[count:] for records, count in zip(rest, counts, strict=True)]
        rest = [records if len(records) else next(side, records) for records, side in zip(rest, sides, strict=True)]
    for records, side in zip(rest, sides, strict=True):
        if len(records):
            yield records
        yield from side
