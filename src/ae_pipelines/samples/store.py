"""The sample store that pipelines read.

A store is a folder: `.npy` shards (n, *shape), one index (one row per sample), one table of rejects, and
`manifest.json`, which is written last and names the others. Readers follow the manifest only, so a
killed writer leaves the earlier store intact. `store_writer.py` writes it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field, model_validator

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.part_files import positions
from ae_pipelines.base.regular_files import content, regular
from ae_pipelines.samples.index import INGEST_AGAIN, VALIDATION, Index, plain, read_table
from ae_pipelines.samples.shards import ShardFile
from ae_pipelines.samples.spec import LearnedFrom, SampleSpec

COUNTED = ("read", "accepted", "rejected", "duplicates", "conflicting")

Count = Annotated[int, Field(ge=0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Shard(Options):
    """One `.npy` file of a store."""

    file: FileName
    rows: Annotated[int, Field(gt=0)]
    sha256: Sha256
    """sha256 of the samples' dtype and shape, and of the values."""


class Manifest(Options):
    """What `manifest.json` says about a store."""

    id: str
    """Names the content: equal stores have equal ids."""
    source: str
    spec: SampleSpec
    read: Count
    accepted: Annotated[int, Field(ge=0)]
    rejected: Count
    """read = accepted + rejected."""
    duplicates: Count = 0
    """How many of the rejected were left out because their content is in the store already."""
    conflicting: Count = 0
    """How many contents have more than one label."""
    shards: list[Shard]
    index: FileName
    rejects: FileName
    conflicts: FileName | None = None
    """Table of content with more than one label; None: there is none."""
    masks: FileName | None = None
    """Table of what is wrong with some images; None: nothing is known."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """The manifest in a file; `InputError` if it is damaged."""
        try:
            return cls.model_validate(json.loads(content(path)))
        except PermissionError:
            raise  # it is whole, and another user's
        except (ValueError, RecursionError, OSError) as error:
            raise InputError(f"{path} is damaged ({error}): ingest again") from error

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        if self.read != self.accepted + self.rejected:
            raise ValueError(f"{self.read} read, but {self.accepted} accepted and {self.rejected} rejected")
        if self.accepted != sum(shard.rows for shard in self.shards):
            raise ValueError(f"{self.accepted} accepted, but the shards have {sum(s.rows for s in self.shards)} rows")
        return self


class Samples:
    """A sample store, opened for reading. Positions count samples in storage order, from 0."""

    def __init__(self, folder: Path) -> None:
        path = folder / "manifest.json"
        if not path.exists():
            raise InputError(f"no sample store in {folder}: run ingest first", stages=("ingest",))
        self.folder = folder
        seals.check(path, INGEST_AGAIN, stages=("ingest",))
        self.manifest = Manifest.of(path)
        self.spec = self.manifest.spec
        self._refuse_too_small()
        self._index = Index(folder / self.manifest.index, len(self))

    @property
    def id(self) -> str:
        """Names the content: equal stores have equal ids."""
        return self.manifest.id

    def __len__(self) -> int:
        return self.manifest.accepted

    @property
    def stored_bytes(self) -> int:
        """Size of all values."""
        return len(self) * self.spec.sample_bytes

    # -- what is known about the samples -----------------------------------------------------------------

    @cached_property
    def index(self) -> pd.DataFrame:
        """One row per sample, in storage order: sample_id, split, label (nullable), source, sha256, shard, row."""
        return self._table(self.manifest.index).drop(columns=VALIDATION, errors="ignore")

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """One row per reject: sample_id, sha256, reason."""
        return self._table(self.manifest.rejects).rename(columns={"source": "sample_id"})  # its name in 0.1.0

    def class_counts(self) -> dict[str, int]:
        """Number of samples of each class, in both splits."""
        counts = self.label_counts().groupby("label").sum()
        return {str(name): int(count) for name, count in counts.items()}

    @property
    def conflicts(self) -> pd.DataFrame:
        """One row per sample or duplicate whose content has more than one label: sample_id, sha256, label."""
        if self.manifest.conflicts is None:
            return pd.DataFrame(columns=["sample_id", "sha256", "label"], dtype=str)
        return self._table(self.manifest.conflicts)

    def masks(self) -> dict[str, np.ndarray]:
        """By id of a sample, (height, width) bools: where something is wrong with it, as far as the source knows."""
        if self.manifest.masks is None:
            return {}
        shape = self.spec.shape[-2:]
        table = self._table(self.manifest.masks)
        bits = (np.unpackbits(np.frombuffer(mask, np.uint8), count=shape[0] * shape[1]) for mask in table["mask"])
        return {name: mask.astype(bool).reshape(shape) for name, mask in zip(table["sample_id"], bits, strict=True)}

    def counts(self) -> dict[str, float]:
        """Read, accepted, rejected, duplicates, conflicting; labelled; by split; what the last ingest decoded and
        reused."""
        counts = {name: getattr(self.manifest, name) for name in COUNTED}
        labelled, splits = int(self.label_counts().sum()), Counter[str]()
        for (split, _), count in self._index.counts.items():
            splits[split] += count
        report = self.folder / "last_ingest.json"
        seals.check(report, INGEST_AGAIN, stages=("ingest",))
        last = json.loads(report.read_text()) if report.exists() else {}
        known = last.get("id") == self.id
        last = {name: value for name, value in last.items() if known and isinstance(value, int | float)}
        return counts | {"labelled": labelled, **splits} | last

    def index_batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Some columns of the index, a few rows at a time."""
        for batch in self._index.batches(*columns):
            yield pa.RecordBatch.from_arrays([*map(plain, batch.columns)], batch.schema.names)

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.folder / name)

    def label_counts(self) -> pd.Series:
        """Number of samples by (split, label); unlabelled ones are not counted."""
        rows = [(*key, count) for key, count in self._index.counts.items()]
        table = pd.DataFrame(rows, columns=["split", "label", "samples"])
        return table.dropna(subset="label").set_index(["split", "label"])["samples"]

    def classes(self) -> tuple[str, ...]:
        """The different labels in the train split, sorted."""
        labels = self.label_counts()
        train = labels.index.get_level_values("split") == "train"
        return tuple(sorted(labels[train].index.get_level_values("label").astype(str)))

    def label_numbers(self, classes: tuple[str, ...]) -> np.ndarray:
        """Each sample's place in `classes`, int64; -1 without a label, or with one that is not among them."""
        numbers = {name: number for number, name in enumerate(classes)}
        return self._index.label_codes(lambda name: numbers.get(name, -1)).astype(np.int64)

    def label_codes(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """Each sample's place among all labels, int32, -1 without one; and these, sorted."""
        names = tuple(sorted(self.class_counts()))
        numbers = {name: number for number, name in enumerate(names)}
        return self._index.label_codes(numbers.__getitem__), names

    def distinct(self, at_least: int) -> int:
        """Number of different contents; counting stops at `at_least`."""
        found: set[str] = set()
        for batch in self.index_batches("sha256"):
            found.update(batch.column(0).to_pylist())
            if len(found) >= at_least:
                return at_least
        return len(found)

    def positions(self, split: str) -> np.ndarray:
        """Positions of a split's samples, int64; `InputError` if there are none."""
        self.split_size(split)
        return np.flatnonzero(self._index.in_split(split))

    def rows_of(self, ids: Iterable[str]) -> np.ndarray:
        """Position of each of some samples, by its id, (ids,), int64; -1 where there is none."""
        return positions((batch.column(0) for batch in self.index_batches("sample_id")), ids)

    def split_size(self, split: str) -> int:
        """Number of a split's samples; `InputError` if there are none."""
        size = sum(count for (part, _), count in self._index.counts.items() if part == split)
        if not size:
            raise InputError(f"none of the {len(self)} samples are in the {split} split: give more samples")
        return size

    def seen(self, learned_from: LearnedFrom) -> np.ndarray:
        """A bool for each sample: whether a model learned from it."""
        return self._index.seen(learned_from)

    def identities(self, learned_from: LearnedFrom) -> Iterator[pa.RecordBatch]:
        """`sample_id`, `split`, `label` and `seen` (whether a model learned from it), a few rows at a time."""
        return self._index.identities(learned_from)

    # -- values: plain reads, no memory mapping ----------------------------------------------------------

    def read(self) -> np.ndarray:
        """All samples, (n, *shape), in memory; `InputError` if a shard is not what was written."""
        values = np.empty((len(self), *self.spec.shape), self.spec.dtype)
        start = 0
        for shard, file in self._shards():
            file.read_whole(values[start : start + shard.rows])
            start += shard.rows
        return values

    def verify(self) -> None:
        """`InputError` if a shard or a table is not what was written."""
        about = self.manifest
        for name in filter(None, (about.index, about.rejects, about.conflicts, about.masks)):
            seals.check(self.folder / name, INGEST_AGAIN, stages=("ingest",))
        for file in self.shard_files():
            file.refuse_damaged()

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """All samples in order, at most `size` at a time."""
        for shard, file in self._shards():
            for start in range(0, shard.rows, size):
                yield file.rows(start, min(size, shard.rows - start))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The samples at these positions, (len(rows), *shape)."""
        values = np.empty((len(rows), *self.spec.shape), self.spec.dtype)
        files = self.shard_files()
        starts = np.cumsum([0, *(shard.rows for shard in self.manifest.shards)])
        numbers = np.searchsorted(starts, rows, side="right") - 1
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(numbers) != 0)) + 1
        for run in np.split(np.arange(len(rows)), breaks) if len(rows) else []:
            number = numbers[run[0]]
            files[number].read_into(values[run[0] : run[-1] + 1], int(rows[run[0]] - starts[number]))
        return values

    def shard_files(self) -> list[ShardFile]:
        """The store's files, in order."""
        return [ShardFile(self.folder / shard.file, self.spec, shard.sha256) for shard in self.manifest.shards]

    def _refuse_too_small(self) -> None:
        """`InputError` if a file cannot hold what the manifest declares, before memory is taken for it."""
        for shard, file in self._shards():
            try:
                held = regular(file.path).stat().st_size
            except OSError as error:
                raise InputError(f"{file.path} is damaged or gone ({error}): ingest again") from error
            if held < shard.rows * self.spec.sample_bytes:
                raise InputError(f"{file.path} is short, {held:,} bytes for {shard.rows:,} samples: ingest again")

    def _shards(self) -> Iterator[tuple[Shard, ShardFile]]:
        return zip(self.manifest.shards, self.shard_files(), strict=True)
