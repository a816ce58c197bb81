"""Contradictions: the same content under different labels."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ae_pipelines.base.errors import first_of
from ae_pipelines.samples.source import Copy

log = logging.getLogger(__name__)

COLUMNS = ("sample_id", "sha256", "label")


@dataclass
class Conflicts:
    """Notes labels by content as a store is written; each labelled sample takes 12 bytes of memory."""

    copies: list[Copy] = field(default_factory=list)
    """What was left out as a duplicate, where equal content is kept once."""

    def __post_init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._contents: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def add(self, sha256: Sequence[str], labels: Sequence[str | None]) -> None:
        """Note samples that were taken."""
        found = [(sha, label) for sha, label in zip(sha256, labels, strict=True) if label is not None]
        if not found:
            return
        contents, names = zip(*found, strict=True)
        self._contents.append(_short(contents))
        self._labels.append(np.array([self._codes.setdefault(name, len(self._codes)) for name in names], np.int32))

    def suspects(self) -> "Suspects":
        """The content that may have different labels: few, but with all that has."""
        copied = {copy.sha256 for copy in self.copies if copy.label is not None}
        if not self._contents:
            return Suspects(copied, np.empty(0, np.uint64))
        contents, labels = np.concatenate(self._contents), np.concatenate(self._labels)
        order = np.lexsort((labels, contents))
        contents, labels = contents[order], labels[order]
        differs = (contents[1:] == contents[:-1]) & (labels[1:] != labels[:-1])
        return Suspects(copied, np.unique(contents[1:][differs]))

    def divided(self) -> "Suspects":
        """The content with copies that the source puts into a split, which may not be the one that it was taken for."""
        return Suspects({copy.sha256 for copy in self.copies if copy.split is not None}, np.empty(0, np.uint64))

    def tell_divided(self, taken: Iterable[tuple[str, str, str]]) -> None:
        """Log copies in another split than that of what was taken, as (sample_id, sha256, split)."""
        split_of = {sha: (name, split) for name, sha, split in taken}
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for copy in self.copies:
            name, split = split_of.get(copy.sha256, ("", copy.split))
            if copy.split not in (None, split):
                found[str(split)].setdefault(copy.sha256, f"{name}, also {copy.id}")
        if found:
            kept = [f"{len(pairs)} in {split} (such as {next(iter(pairs.values()))})" for split, pairs in found.items()]
            log.warning(
                "samples whose content is in train and in test: %d; each is kept once, where it comes first: %s. "
                "Remove the copy that should not count",
                *(sum(map(len, found.values())), ", ".join(kept)),
            )


@dataclass(frozen=True)
class Suspects:
    """Content to look at more closely."""

    copied: set[str]
    """sha256 of content with a copy that was left out, and that says something."""
    differing: np.ndarray
    """Sorted first 64 bits of the sha256 of content that was taken under different labels."""

    def __bool__(self) -> bool:
        return bool(self.copied) or bool(len(self.differing))

    def among(self, sha256: Sequence[str]) -> np.ndarray:
        """Places of suspects among these, int64."""
        differing = np.isin(_short(sha256), self.differing)
        return np.flatnonzero(differing | np.array([sha in self.copied for sha in sha256], bool))


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


def judge(taken: Sequence[tuple[str, str, str | None]], copies: Sequence[Copy]) -> Verdict:
    """Which of the suspects, taken as (sample_id, sha256, label) or left out, contradict each other."""
    members = defaultdict(list)
    for name, sha, label in [*taken, *((copy.id, copy.sha256, copy.label) for copy in copies)]:
        members[sha].append((name, sha, label))
    rows, label_of = list[tuple[str, str, str]](), dict[str, str | None]()
    copied = {copy.sha256 for copy in copies}
    for sha, found in sorted(members.items()):
        labels = {label for *_, label in found if label is not None}
        if len(labels) > 1:
            rows += [(name, sha, label) for name, sha, label in found if label is not None]
        if sha in copied:
            label_of[sha] = labels.pop() if len(labels) == 1 else None
    return Verdict(rows, label_of)


def _short(sha256: Sequence[str]) -> np.ndarray:
    """The first 64 bits of each."""
    return np.frombuffer(b"".join(bytes.fromhex(sha[:16]) for sha in sha256), np.uint64)
