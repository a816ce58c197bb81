"""Contradictions: the same content under different labels."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import first_of
from ae_pipelines.samples.first_places import FirstPlaces, short_keys
from ae_pipelines.samples.source import Copy

log = logging.getLogger(__name__)

COLUMNS = ("sample_id", "sha256", "label")


class Conflicts:
    """Notes labels and splits by content as a store is written.

    Each sample with a label, or with a split of its source's, takes two to three bytes of memory, and more where they
    differ.
    """

    def __init__(self, folder: Path) -> None:
        """What memory does not hold lies in unnamed files in `folder`."""
        self._first = FirstPlaces(folder)
        self._codes: dict[tuple[str | None, str | None], int] = {}
        """Numbers of labels with splits."""
        self._differing: list[int] = []
        self._divided: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """By split: the sha256 of content that was taken into it, and the id of a copy in another."""

    def add(self, sha256: Sequence[str], labels: Sequence[str | None], splits: Sequence[str] | None) -> None:
        """Note samples that were taken; `splits` where the source gives some, and may have copies."""
        given: Sequence[str | None] = splits or [None] * len(labels)
        pairs = list(zip(labels, given, strict=True))
        some = [place for place, pair in enumerate(pairs) if pair != (None, None)]
        keys = _keys([sha256[place] for place in some])
        codes = np.array([self._codes.setdefault(pairs[place], len(self._codes)) for place in some], np.int64)
        first = self._first.add(keys, codes)
        known = [*self._codes]
        for place in np.flatnonzero(first != codes).tolist():
            if known[first[place]][0] != known[codes[place]][0]:
                self._differing.append(int(keys[place, 0]))

    def add_copies(self, copies: Sequence[Copy]) -> None:
        """Note what was left out, since its content was taken before."""
        keys = _keys([copy.sha256 for copy in copies])
        known = [*self._codes, (None, None)]
        for copy, key, place in zip(copies, keys[:, 0].tolist(), self._first.find(keys).tolist(), strict=True):
            label, split = known[place]
            if copy.label not in (None, label):
                self._differing.append(key)
            if copy.split is not None and split not in (None, copy.split):
                self._divided[str(split)].setdefault(copy.sha256, copy.id)

    def suspects(self) -> "Suspects":
        """The content that may have different labels: few, but with all that has."""
        return Suspects(np.unique(np.array(self._differing, np.uint64)))

    def divided(self) -> "Suspects":
        """The first content of each split that has a copy in another one."""
        first = [next(iter(found)) for found in self._divided.values()]
        return Suspects(np.unique(_keys(first)[:, 0]))

    def tell_divided(self, taken: Iterable[tuple[str, str]]) -> None:
        """Log the copies in another split than that of what was taken; `taken` are (sample_id, sha256), with those of
        `divided` among them."""
        name_of = {sha: name for name, sha in taken}
        if self._divided:
            kept = []
            for split, found in self._divided.items():
                sha, other = next(iter(found.items()))
                kept.append(f"{len(found)} in {split} (such as {name_of[sha]}, also {other})")
            log.warning(
                "samples whose content is in train and in test: %d; each is kept once, where it comes first: %s. "
                "Remove the copy that should not count",
                *(sum(map(len, self._divided.values())), ", ".join(kept)),
            )


@dataclass(frozen=True)
class Suspects:
    """Content to look at more closely."""

    starts: np.ndarray
    """The first 64 bits of each sha256, sorted."""

    def __bool__(self) -> bool:
        return bool(len(self.starts))

    def among(self, sha256: Sequence[str]) -> np.ndarray:
        """Places of suspects among these, int64."""
        return np.flatnonzero(np.isin(_keys(sha256)[:, 0], self.starts))


@dataclass(frozen=True)
class Verdict:
    """What became of the suspects."""

    rows: list[tuple[str, str, str]]
    """(sample_id, sha256, label) of everything that contradicts another, content by content."""
    label_of: dict[str, str | None]
    """The label of each content that is kept once: the only one that its copies have, or None."""

    @property
    def contents(self) -> int:
        """How many contents have more than one label."""
        return len({sha for _, sha, _ in self.rows})

    def tell(self) -> None:
        """Log that there are contradictions, and what became of them."""
        first = self.rows[0]
        labels = first_of([f"{name} is {label!r}" for name, sha, label in self.rows if sha == first[1]], 3)
        once = first[1] in self.label_of
        kept = "each is kept once, without a label" if once else "each keeps its label, since rows may be equal"
        log.warning(
            "contents with more than one label: %d, such as: %s; %s. All are listed in conflicts.parquet",
            *(self.contents, labels, kept),
        )


def judge(taken: Sequence[tuple[str, str, str | None]], copies: Sequence[tuple[str, str, str | None]]) -> Verdict:
    """Which of the suspects, taken or left out, contradict each other; both as (sample_id, sha256, label)."""
    members = defaultdict(list)
    for name, sha, label in [*taken, *copies]:
        members[sha].append((name, sha, label))
    rows, label_of = list[tuple[str, str, str]](), dict[str, str | None]()
    copied = {sha for _, sha, _ in copies}
    for sha, found in sorted(members.items()):
        labels = {label for *_, label in found if label is not None}
        if len(labels) > 1:
            rows += [(name, sha, label) for name, sha, label in found if label is not None]
        if sha in copied:
            label_of[sha] = labels.pop() if len(labels) == 1 else None
    return Verdict(rows, label_of)


def _keys(sha256: Sequence[str]) -> np.ndarray:
    """Keys by the first 64 bits of each."""
    starts = bytes.fromhex("".join([sha[:16] for sha in sha256]))
    return short_keys(np.frombuffer(starts, ">u8"))
