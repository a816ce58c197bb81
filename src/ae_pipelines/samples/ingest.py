"""Writes a source into a sample store: as a stream, decoded once, and taken up after a kill."""

import hashlib
import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import filelock
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from ae_pipelines.base import atomic, progress
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, NothingThere, Unusable, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.samples.conflicts import COLUMNS, Conflicts, Verdict, judge
from ae_pipelines.samples.decoding import DUPLICATE, Decoding, Digests
from ae_pipelines.samples.labels import LabelReader, PartlyLabelled, tell_classes
from ae_pipelines.samples.ranges import UsedValues
from ae_pipelines.samples.shards import ShardWriter, known_name, shard_name
from ae_pipelines.samples.source import Block, EncodedSource, MaskedSource, Reject, Source
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.store import BATCH_ROWS, Manifest, Samples

log = logging.getLogger(__name__)

FIRST = 10
"""How many reasons, or samples that are gone, are listed."""
INDEX = pa.schema(
    [(name, pa.string()) for name in ("sample_id", "split", "label", "source", "sha256")]
    + [("shard", pa.int32()), ("row", pa.int32())]
)
REJECTS = pa.schema([(name, pa.string()) for name in ("sample_id", "sha256", "reason")])
MASKS = pa.schema([("sample_id", pa.string()), ("mask", pa.binary())])
CONFLICTS = pa.schema([(name, pa.string()) for name in COLUMNS])
HASHED_REJECTS = ("rejected source", "rejected sha256", "rejected reason")
"""Names of these columns in the id of a store, which must not change when a column is renamed."""
REFUSED = "rejects-of-a-refused-ingest.parquet"


class IngestOptions(Options):
    """How a source is ingested."""

    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Above this share of unusable samples (duplicates not counted) the run fails."""
    workers: Annotated[int, Field(gt=0)] | None = None
    """Number of decoding processes; None: one per CPU."""


@dataclass(frozen=True)
class Ingest:
    """A source that is to be written into a sample store."""

    source: Source | EncodedSource
    options: IngestOptions
    empty: SampleSpec | None = None
    """Spec of the empty store that is written where there are no samples; None: that is an error."""
    run: Run = NO_RUN
    """Run that is told where there are no samples."""

    def into(self, folder: Path) -> Samples:
        """Write the store."""
        try:
            samples = write_store(folder, self.source, self.options)
        except NothingThere as reason:
            if self.empty is None:
                raise
            self.run.skip(str(reason))
            return write_empty_store(folder, self.empty, self.source.name)
        if self.empty is None:  # nothing is trained on what may be empty
            tell_classes(samples.class_counts(), len(samples), _unlabelled(self.source))
        return samples


def write_store(
    folder: Path,
    source: Source | EncodedSource,
    options: IngestOptions = IngestOptions(),  # noqa: B008
) -> Samples:
    """Write everything `source` gives into a store; the earlier store stays valid until the manifest is replaced.

    Samples that an earlier ingest decoded, even a killed one, are recognised by their content and reused.
    """
    started = time.monotonic()
    spec = source.spec()
    with _exclusively(folder):
        count = source.count()
        decoding = Decoding(source, folder, spec) if isinstance(source, EncodedSource) else None
        blocks = decoding.blocks(count, options.workers) if decoding else source.blocks()
        labels = LabelReader(_unlabelled(source) or ())
        with _Store(folder, spec, source.name, labels, decoding.key if decoding else None) as store, closing(blocks):  # type: ignore[type-var]
            for block in _with_progress(blocks, count):  # type: ignore[arg-type]
                store.add(block)
            store.add_masks(_decoded_masks(source))
            report = {"seconds": round(time.monotonic() - started, 1), "decoded": store.accepted, "reused": 0}
            if decoding:
                report |= {"decoded": decoding.decoded, "reused": decoding.reused}
                report |= _removed_samples(folder, source.name, decoding.contents)
            samples = store.finish(options.max_rejected_share, report)
        labels.tell()
        return samples


def _decoded_masks(source: Source | EncodedSource) -> Iterator[tuple[str, np.ndarray]]:
    """Id of a sample, and a bool for each of its pixels: whether something is wrong there."""
    if not isinstance(source, MaskedSource):
        return
    for sample, path in source.masks():
        try:
            values = source.decode(path.read_bytes())  # (channels, height, width)
        except Unusable as fault:
            raise InputError(f"the mask {path} cannot be used ({fault}): mend it, or move it away") from fault
        yield sample, values.max(axis=0) > np.iinfo(values.dtype).max // 2


def _unlabelled(source: Source | EncodedSource) -> tuple[str, ...] | None:
    return source.unlabelled if isinstance(source, PartlyLabelled) else None


def write_empty_store(folder: Path, spec: SampleSpec, source: str) -> Samples:
    """Write a store without samples."""
    with _exclusively(folder), _Store(folder, spec, source, LabelReader(), None) as store:
        return store.finish(None, {"seconds": 0.0, "decoded": 0, "reused": 0})


@contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    """Refuse a second ingest into the same folder at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise InputError(
            f"another run is ingesting into {folder}: wait for it, or give another folder", options={"data_dir": "..."}
        ) from error


def _with_progress(blocks: Iterable[Block], count: int | None) -> Iterator[Block]:
    with progress.Steps(count, "ingest", "sample") as steps:
        for block in blocks:
            yield block
            steps.advance(len(block.ids) + len(block.rejects))


def _removed_samples(folder: Path, source: str, contents: Digests) -> dict[str, Any]:
    """Which samples of the earlier store are gone from the source."""
    gone: list[str] = []
    count = 0
    with suppress(InputError):  # no store yet, or a damaged one, which will be replaced
        before = Samples(folder)
        for batch in before.index_batches("sample_id", "sha256") if before.manifest.source == source else ():
            missing = ~contents.has([bytes.fromhex(sha) for sha in batch.column("sha256").to_pylist()])
            names = batch.column("sample_id").filter(pa.array(missing)).to_pylist()
            gone += names[: FIRST - len(gone)]
            count += len(names)
    if count:
        log.warning("%d samples are gone from the source since the last ingest, first: %s", count, ", ".join(gone))
    return {"removed": count, "removed_first": gone}


class _Store:
    """A store being written; a context manager that clears away an unfinished one."""

    def __init__(self, folder: Path, spec: SampleSpec, source: str, labels: LabelReader, key: str | None) -> None:
        self._folder, self._spec, self._source, self._key = folder, spec, source, key
        self._label_reader, self._conflicts = labels, Conflicts()
        self._masks: _Table | None = None
        self._open = ExitStack()
        self._content: defaultdict[str, hashlib._Hash] = defaultdict(hashlib.sha256)
        self._id_hashes: list[np.ndarray] = []
        self._reasons: Counter[str] = Counter()
        self._used = UsedValues(spec)
        self.accepted = self.rejected = 0
        self._complete = False

    def __enter__(self) -> "_Store":
        _clear(self._folder, unfinished=self._key)
        self._shards = ShardWriter(self._folder, self._spec, self._key)
        self._open.callback(self._shards.abandon)
        self._index = self._open.enter_context(_table(self._folder / "index.parquet", INDEX))
        self._rejects = self._open.enter_context(_table(self._folder / "rejects.parquet", REJECTS))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        _clear(self._folder, unfinished=None if self._complete else self._key, keep="" if self._complete else REFUSED)

    def add(self, block: Block) -> None:
        """Append a block."""
        self._refuse_misfit(block)
        values = np.ascontiguousarray(block.values)
        sha256 = block.sha256 or [hashlib.sha256(sample).hexdigest() for sample in values]
        labels = self._label_reader.names(block.labels or [None] * len(values))
        self._conflicts.add(sha256, labels)
        copied = self._label_reader.names(copy.label for copy in block.copies)
        copies = zip(block.copies, copied, strict=True)
        self._conflicts.copies += [replace(copy, label=label) for copy, label in copies]
        shards, rows = self._shards.add(values, sha256)
        columns: dict[str, Any] = {
            "sample_id": block.ids,
            "split": block.splits or [split_by_content(sha) for sha in sha256],
            "label": labels,
            "source": [self._source] * len(values),
            "sha256": sha256,
        }
        self._hash(columns)
        self._used.add(values, columns["split"])
        self._index.add(columns | {"shard": shards, "row": rows})
        self._id_hashes.append(pd.util.hash_array(np.array(block.ids, object)))
        self._reject(block.rejects)
        self.accepted += len(values)

    def add_masks(self, masks: Iterable[tuple[str, np.ndarray]]) -> None:
        """Add what is wrong with some samples: an id, and a bool for each pixel."""
        for sample, mask in masks:
            self._masks = self._masks or self._open.enter_context(_table(self._folder / "masks.parquet", MASKS))
            self._masks.add({"sample_id": [sample], "mask": [np.packbits(mask).tobytes()]})
            self._hash({"masked sample": [sample], "mask": [hashlib.sha256(mask.tobytes()).hexdigest()]})

    def _reject(self, rejects: Iterable[Reject]) -> None:
        found = [astuple(reject) for reject in rejects]
        if found:
            columns = dict(zip(REJECTS.names, zip(*found, strict=True), strict=True))
            self._rejects.add(columns)
            self._reasons.update(columns["reason"])
            self._hash(dict(zip(HASHED_REJECTS, columns.values(), strict=True)))
            self.rejected += len(found)

    def _hash(self, columns: dict[str, Any]) -> None:
        """Hash columns for the id of the store, which does not depend on how samples are split into blocks."""
        for name, values in columns.items():
            self._content[name].update("".join(f"{value!r}\n" for value in values).encode("utf-8", "replace"))

    def finish(self, max_rejected_share: float | None, report: dict[str, Any]) -> Samples:
        """Write the manifest; `InputError` if the store must not be used. With a share of None it may be empty."""
        self._shards.finish()
        self._index.close()
        self._rejects.close()
        if max_rejected_share is not None:
            self._refuse_rejected(max_rejected_share)
            self._refuse_repeated_ids()
        self._spec = self._used.settled()
        conflicting = self._settle_conflicts()
        store_id = self._id()
        manifest = Manifest(
            id=store_id,
            source=self._source,
            spec=self._spec,
            read=self.accepted + self.rejected,
            accepted=self.accepted,
            rejected=self.rejected,
            duplicates=self._reasons[DUPLICATE],
            conflicting=conflicting,
            shards=self._shards.written,
            index=f"index-{store_id}.parquet",
            rejects=f"rejects-{store_id}.parquet",
            conflicts=f"conflicts-{store_id}.parquet" if conflicting else None,
            masks=f"masks-{store_id}.parquet" if self._masks else None,
        )
        if self._masks and manifest.masks:
            self._masks.close()
            atomic.publish(self._masks.path, self._folder / manifest.masks)
        if manifest.conflicts:
            atomic.publish(self._conflicts_table.path, self._folder / manifest.conflicts)
        atomic.publish(self._index.path, self._folder / manifest.index)
        atomic.publish(self._rejects.path, self._folder / manifest.rejects)
        atomic.write_text(self._folder / "last_ingest.json", json.dumps({"id": store_id, **report}, indent=2))
        atomic.write_text(self._folder / "manifest.json", manifest.model_dump_json(indent=2))
        self._complete = True
        log.info(
            "ingested %s: %d read, %d accepted, %d rejected (%d of them duplicates); %d decoded, %d reused, %s s",
            *(self._source, manifest.read, manifest.accepted, manifest.rejected, manifest.duplicates),
            *(report["decoded"], report["reused"], report["seconds"]),
        )
        return Samples(self._folder)

    def _settle_conflicts(self) -> int:
        """Give content that is kept once the only label of its copies, or none; how much of it has more than one."""
        suspects = self._conflicts.suspects()
        taken = list[tuple[str, str, str | None]]()
        for batch in _read(self._index.path) if suspects else ():
            places = pa.array(suspects.among(batch.column("sha256").to_pylist()), pa.int64())
            taken += zip(*batch.select(COLUMNS).take(places).to_pydict().values(), strict=True)
        verdict = judge(taken, self._conflicts.copies)
        changed = {sha: verdict.label_of[sha] for _, sha, label in taken if verdict.label_of.get(sha, label) != label}
        if changed:
            self._relabel(changed)
            self._hash({"label by content": sorted(changed.items())})
        if verdict.rows:
            self._conflicts_table = self._open.enter_context(_table(self._folder / "conflicts.parquet", CONFLICTS))
            self._conflicts_table.add(dict(zip(COLUMNS, zip(*verdict.rows, strict=True), strict=True)))
            self._conflicts_table.close()
            _tell_conflicts(verdict, changed)
        return verdict.contents

    def _relabel(self, label_of: dict[str, str | None]) -> None:
        """Write the index again, with other labels for some content."""
        index = self._open.enter_context(_table(self._folder / "relabelled.parquet", INDEX))
        for batch in _read(self._index.path):
            columns = batch.to_pydict()
            columns["label"] = [
                label_of.get(sha, label) for sha, label in zip(columns["sha256"], columns["label"], strict=True)
            ]
            index.add(columns)
        index.close()
        self._index = index

    def _id(self) -> str:
        hashes = {name: digest.hexdigest() for name, digest in self._content.items()}
        shards = [shard["sha256"] for shard in self._shards.written]
        return canonical_sha256([self._source, self._spec.model_dump(mode="json"), hashes, shards])[:16]

    def _refuse_misfit(self, block: Block) -> None:
        if block.values.shape[1:] != self._spec.shape or block.values.dtype != self._spec.dtype:
            raise InputError(
                f"source {self._source!r} promised {self._spec.dtype} samples of shape {self._spec.shape}, "
                f"but gave {block.values.dtype} of shape {block.values.shape[1:]}"
            )

    def _refuse_rejected(self, most: float) -> None:
        read, unusable = self.accepted + self.rejected, self.rejected - self._reasons[DUPLICATE]
        if self.accepted and unusable / read <= most:
            return
        reasons = "; ".join(f"{count} x {reason}" for reason, count in self._reasons.most_common(FIRST))
        if not read:
            raise NothingThere(f"source {self._source!r} gave no samples: nothing was read")
        path = self._folder / REFUSED
        atomic.publish(self._rejects.path, path)
        raise InputError(
            f"source {self._source!r}: {unusable} of {read} read cannot be used ({unusable / read:.1%}, at most "
            f"{most:.1%} may be): {reasons}. All of them are in {path}. Fix or remove them"
            + (", or give a larger max_rejected_share" if self.accepted else ""),
            options={"ingest.max_rejected_share": "..."} if self.accepted else None,
        )

    def _refuse_repeated_ids(self) -> None:
        """Compare 64-bit hashes of the ids, and the ids themselves only if two hashes are equal."""
        hashes = np.sort(np.concatenate(self._id_hashes))
        if not (hashes[1:] == hashes[:-1]).any():
            return
        names = pq.read_table(self._index.path, columns=["sample_id"]).column(0).to_pandas()
        repeated = list(names[names.duplicated()].unique())
        if len(repeated):
            raise InputError(
                f"source {self._source!r} gave {len(repeated)} sample ids more than once, first: "
                f"{first_of(repeated)}. Ids must be unique."
            )


def _tell_conflicts(verdict: Verdict, unlabelled: Collection[str]) -> None:
    first = verdict.rows[0]
    labels = first_of([f"{name} is {label!r}" for name, sha, label in verdict.rows if sha == first[1]], 3)
    kept = "each is kept once, without a label" if unlabelled else "each keeps its label, since rows may be equal"
    log.warning(
        "contents with more than one label: %d, such as: %s; %s. All are listed in conflicts.parquet",
        *(verdict.contents, labels, kept),
    )


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(BATCH_ROWS, use_threads=False)


@dataclass
class _Table:
    """A parquet file that grows; rows are collected into large row groups."""

    path: Path
    schema: pa.Schema

    def __post_init__(self) -> None:
        self._writer = pq.ParquetWriter(self.path, self.schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[pa.Table] = []

    def add(self, columns: dict[str, Any]) -> None:
        self._waiting.append(pa.table(columns, schema=self.schema))
        if sum(map(len, self._waiting)) >= BATCH_ROWS:
            self._write()

    def close(self) -> None:
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting = []


@contextmanager
def _table(path: Path, schema: pa.Schema) -> Iterator[_Table]:
    with atomic.temporary_beside(path) as temporary:
        table = _Table(temporary, schema)
        try:
            yield table
        finally:
            table.close()


def _clear(folder: Path, unfinished: str | None, keep: str = "") -> None:
    """Remove files that the manifest does not name and that, by their key, no later ingest can take up."""
    shards, named = set[str](), {"manifest.json", "last_ingest.json", keep}
    with suppress(InputError):
        manifest = Manifest.of(folder / "manifest.json")
        named |= {manifest.index, manifest.rejects, manifest.conflicts or "", manifest.masks or ""}
        shards = {shard.file for shard in manifest.shards}
    for path in folder.glob(".*.tmp.*"):  # left by killed writers: no other is at work now
        path.unlink()
    for path in (path for path in folder.glob("*-*") if path.is_file()):
        kind, _, rest = path.stem.partition("-")
        key, _, sha256 = rest.rpartition("-")
        if kind not in ("shard", "known", "index", "rejects", "conflicts", "masks") or path.name in named | shards:
            continue
        if kind == "known" and (key == unfinished or shard_name(sha256) in shards):
            continue
        if kind == "shard" and unfinished and (folder / known_name(unfinished, sha256)).exists():
            continue
        path.unlink()
