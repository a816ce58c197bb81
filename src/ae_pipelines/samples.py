"""Samples as they come from a source, and the sample store that pipelines read.

A store is a folder: `.npy` shards (n, *shape), one index (a row a sample), one table of rejects, and
`manifest.json`, which is written last and names the others. Readers follow the manifest only, so a
killed writer leaves the earlier store whole.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import pandas as pd

from ae_pipelines import atomic
from ae_pipelines.contract import SampleSpec, canonical_sha256
from ae_pipelines.errors import InputError

SHARD_BYTES = 256 * 2**20
TEST_SHARE = 0.2
"""Share of the samples that become the test split when the source has no split of its own."""


@dataclass(frozen=True)
class Reject:
    """One row of a source that could not be used."""

    source: str
    sha256: str
    reason: str


@dataclass(frozen=True)
class Block:
    """Some samples of a source.

    `values` has shape (n, *shape). `labels` and `splits` may be None: unlabelled, or a source without a
    split of its own (then each sample's split follows from its content).
    """

    values: np.ndarray
    ids: list[str]
    labels: list[str | None] | None = None
    splits: list[str] | None = None
    rejects: list[Reject] = field(default_factory=list)


class Source(Protocol):
    """Where samples come from."""

    name: str

    def spec(self) -> SampleSpec:
        """What every sample looks like."""
        ...

    def blocks(self) -> Iterator[Block]:
        """The samples, a block at a time."""
        ...


class Samples:
    """A sample store, opened for reading."""

    def __init__(self, folder: Path) -> None:
        path = folder / "manifest.json"
        if not path.exists():
            raise InputError(f"no sample store in {folder}: run `kedro run --pipelines=ingest` first")
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads(path.read_text())
        self.spec = SampleSpec(**self.manifest["spec"])

    @property
    def id(self) -> str:
        """Names the content: equal stores have equal ids."""
        return str(self.manifest["id"])

    def __len__(self) -> int:
        return int(self.manifest["accepted"])

    @cached_property
    def index(self) -> pd.DataFrame:
        """A row a sample, in storage order: sample_id, split, label (nullable), source, sha256, shard, row."""
        return pd.read_parquet(self.folder / self.manifest["index"])

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """A row for each thing left out: source, sha256, reason."""
        return pd.read_parquet(self.folder / self.manifest["rejects"])

    def rows(self, split: str) -> np.ndarray:
        """Positions of a split's samples in storage order, int64; `InputError` if there are none."""
        rows = np.flatnonzero(self.index["split"].to_numpy() == split)
        if not len(rows):
            raise InputError(f"none of the {len(self)} samples are in the {split} split: give more samples")
        return rows

    def held_out(self, share: float) -> np.ndarray:
        """A bool a sample: train samples whose content puts them in the validation share."""
        fractions = np.array([_fraction(sha, "validation") for sha in self.index["sha256"]])
        return (fractions < share) & (self.index["split"] == "train").to_numpy()

    def read(self) -> np.ndarray:
        """All samples, (n, *shape), in memory; `InputError` if a shard is not what was written."""
        shards = []
        for shard in self.manifest["shards"]:
            with (self.folder / shard["file"]).open("rb") as file:
                _skip_header(file)
                shards.append(self._read(file, shard["rows"]))
            if hashlib.sha256(shards[-1].data).hexdigest() != shard["sha256"]:
                raise InputError(f"{self.folder / shard['file']} is damaged (its sha256 differs): ingest again")
        return np.concatenate(shards)

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """All samples in order, at most `size` at a time, read with plain reads (no memory mapping)."""
        for shard in self.manifest["shards"]:
            with (self.folder / shard["file"]).open("rb") as file:
                _skip_header(file)
                for start in range(0, shard["rows"], size):
                    yield self._read(file, min(size, shard["rows"] - start))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """A few samples by their positions, (len(rows), *shape)."""
        return np.concatenate([self._one(*place) for place in self.index[["shard", "row"]].to_numpy()[rows]])

    def _one(self, shard: int, row: int) -> np.ndarray:
        with (self.folder / self.manifest["shards"][shard]["file"]).open("rb") as file:
            _skip_header(file)
            file.seek(int(row) * _bytes_per_sample(self.spec), os.SEEK_CUR)
            return self._read(file, 1)

    def _read(self, file: BinaryIO, rows: int) -> np.ndarray:
        values = np.fromfile(file, self.spec.dtype, rows * prod(self.spec.shape))
        if values.size != rows * prod(self.spec.shape):
            raise InputError(f"{file.name} is short: ingest again")
        return values.reshape(rows, *self.spec.shape)


def _skip_header(file: BinaryIO) -> None:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)


def write_store(folder: Path, source: Source) -> Samples:
    """Write everything `source` gives into a store; the earlier store stands until the manifest is replaced."""
    spec = source.spec()
    folder.mkdir(parents=True, exist_ok=True)
    writer = _ShardWriter(folder, spec)
    index: list[pd.DataFrame] = []
    rejects: list[Reject] = []
    for block in source.blocks():
        _refuse_bad_block(block, spec, source.name)
        writer.add(block.values)
        index.append(_index_rows(block, source.name))
        rejects += block.rejects
    if not sum(map(len, index)):
        raise InputError(f"source {source.name!r} gave no samples ({len(rejects)} rejected)")
    table = pd.concat(index, ignore_index=True)
    _refuse_repeated_ids(table, source.name)
    content = [spec.model_dump(mode="json"), source.name, pd.util.hash_pandas_object(table, index=False).tolist()]
    store_id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    shards = writer.finish(store_id)
    table["shard"] = np.repeat(np.arange(len(shards), dtype=np.int32), [shard["rows"] for shard in shards])
    table["row"] = np.concatenate([np.arange(shard["rows"], dtype=np.int32) for shard in shards])
    manifest = {
        "id": store_id,
        "source": source.name,
        "spec": spec.model_dump(mode="json"),
        "read": len(table) + len(rejects),
        "accepted": len(table),
        "rejected": len(rejects),
        "shards": shards,
        "index": f"index-{store_id}.parquet",
        "rejects": f"rejects-{store_id}-{canonical_sha256([asdict(reject) for reject in rejects])[:16]}.parquet",
    }
    reject_table = pd.DataFrame(
        [(r.source, r.sha256, r.reason) for r in rejects], columns=["source", "sha256", "reason"], dtype="str"
    )
    for name, frame in (("index", table), ("rejects", reject_table)):
        with atomic.replacing(folder / str(manifest[name])) as temporary:
            frame.to_parquet(temporary, index=False, write_page_checksum=True)
    atomic.write_text(folder / "manifest.json", json.dumps(manifest, indent=2))
    _remove_all_but(folder, manifest)
    return Samples(folder)


class _ShardWriter:
    """Collects blocks into shards of at most `SHARD_BYTES`."""

    def __init__(self, folder: Path, spec: SampleSpec) -> None:
        self._folder, self._spec = folder, spec
        self._rows_per_shard = max(1, SHARD_BYTES // _bytes_per_sample(spec))
        self._pending: list[np.ndarray] = []
        self._written: list[dict[str, Any]] = []

    def add(self, values: np.ndarray) -> None:
        while len(values):
            room = self._rows_per_shard - sum(map(len, self._pending))
            self._pending.append(values[:room])
            values = values[room:]
            if sum(map(len, self._pending)) == self._rows_per_shard:
                self._write()

    def finish(self, store_id: str) -> list[dict[str, Any]]:
        if self._pending:
            self._write()
        for number, shard in enumerate(self._written):
            name = f"shard-{store_id}-{number:05d}.npy"
            (self._folder / shard["file"]).replace(self._folder / name)
            shard["file"] = name
        return self._written

    def _write(self) -> None:
        values = np.ascontiguousarray(np.concatenate(self._pending))
        path = self._folder / f"unfinished-{len(self._written):05d}.npy"
        with atomic.replacing(path) as temporary:
            np.save(temporary, values)
        self._written.append(
            {"file": path.name, "rows": len(values), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}
        )
        self._pending = []


def _bytes_per_sample(spec: SampleSpec) -> int:
    return prod(spec.shape) * np.dtype(spec.dtype).itemsize


def _index_rows(block: Block, source: str) -> pd.DataFrame:
    shas = [hashlib.sha256(sample.tobytes()).hexdigest() for sample in block.values]
    splits = block.splits or ["test" if _fraction(sha, "test") < TEST_SHARE else "train" for sha in shas]
    labels = block.labels or [None] * len(shas)
    return pd.DataFrame(
        {
            "sample_id": pd.array(block.ids, dtype="str"),
            "split": pd.array(splits, dtype="str"),
            "label": pd.array(labels, dtype="str"),
            "source": source,
            "sha256": pd.array(shas, dtype="str"),
        }
    )


def _fraction(sha256: str, purpose: str) -> float:
    """A number in [0, 1) that depends on a sample's content alone, another one for each purpose."""
    start = {"test": 0, "validation": 8}[purpose]
    return int(sha256[start : start + 8], 16) / 2**32


def _refuse_bad_block(block: Block, spec: SampleSpec, source: str) -> None:
    if block.values.shape[1:] != spec.shape or block.values.dtype != spec.dtype:
        raise InputError(
            f"source {source!r} promised {spec.dtype} samples of shape {spec.shape}, "
            f"gave {block.values.dtype} {block.values.shape[1:]}"
        )


def _refuse_repeated_ids(table: pd.DataFrame, source: str) -> None:
    repeated = table["sample_id"][table["sample_id"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"source {source!r} gave {len(repeated)} sample ids more than once, first: "
            f"{', '.join(repeated[:10])}. Ids must be unique."
        )


def _remove_all_but(folder: Path, manifest: dict[str, Any]) -> None:
    keep = {"manifest.json", manifest["index"], manifest["rejects"]}
    keep |= {shard["file"] for shard in manifest["shards"]}
    for path in _files(folder):
        if path.name not in keep:
            path.unlink()


def _files(folder: Path) -> Iterable[Path]:
    return [path for path in folder.iterdir() if path.is_file()]
