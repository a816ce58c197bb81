"""A sample store being written: its shards, index, rejects, masks and conflicts, and last its manifest."""

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.conflicts import COLUMNS, Conflicts, Suspects, judge
from ae_pipelines.samples.decoding import DUPLICATE
from ae_pipelines.samples.first_places import FirstPlaces, short_keys
from ae_pipelines.samples.growing_table import GrowingTable, growing_table
from ae_pipelines.samples.index import VALIDATION
from ae_pipelines.samples.labels import LabelReader
from ae_pipelines.samples.ranges import UsedValues
from ae_pipelines.samples.shards import ShardWriter, known_name, shard_name
from ae_pipelines.samples.source import Block, Copy, Reject
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import splits_by_content, validation_places
from ae_pipelines.samples.store import Manifest, Samples

log = logging.getLogger(__name__)

FIRST = 10
"""How many reasons are listed."""
INDEX = pa.schema(
    [(name, pa.string()) for name in ("sample_id", "split", "label", "source", "sha256")]
    + [("shard", pa.int32()), ("row", pa.int32()), (VALIDATION, pa.uint32())]
)
REJECTS = pa.schema([(name, pa.string()) for name in ("sample_id", "sha256", "reason")])
MASKS = pa.schema([("sample_id", pa.string()), ("mask", pa.binary())])
CONFLICTS = pa.schema([(name, pa.string()) for name in COLUMNS])
HASHED_REJECTS = ("rejected source", "rejected sha256", "rejected reason")
"""Names of these columns in the id of a store, which must not change when a column is renamed."""
REFUSED = "rejects-of-a-refused-ingest.parquet"


class StoreWriter:
    """A store being written; a context manager that clears away an unfinished one."""

    def __init__(self, folder: Path, spec: SampleSpec, source: str, labels: LabelReader, key: str | None) -> None:
        self._folder, self._spec, self._source, self._key = folder, spec, source, key
        self._label_reader = labels
        self._masks: GrowingTable | None = None
        self._copies: GrowingTable | None = None
        self._contradictions: GrowingTable | None = None
        self._open = ExitStack()
        self._content: defaultdict[str, hashlib._Hash] = defaultdict(hashlib.sha256)
        self._repeated_ids = False
        self._reasons: Counter[str] = Counter()
        self._used = UsedValues(spec)
        self.accepted = self.rejected = 0
        self._complete = False

    def __enter__(self) -> "StoreWriter":
        _clear(self._folder, unfinished=self._key)
        self._conflicts, self._ids = Conflicts(self._folder), FirstPlaces(self._folder)
        self._shards = ShardWriter(self._folder, self._spec, self._key)
        self._open.callback(self._shards.abandon)
        self._index = self._open.enter_context(growing_table(self._folder / "index.parquet", INDEX))
        self._rejects = self._open.enter_context(growing_table(self._folder / "rejects.parquet", REJECTS))
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
        self._conflicts.add(sha256, labels, block.splits if self._key else None)
        self._add_copies(block.copies)
        shards, rows = self._shards.add(values, sha256)
        columns: dict[str, Any] = {
            "sample_id": block.ids,
            "split": block.splits or splits_by_content(sha256),
            "label": labels,
            "source": [self._source] * len(values),
            "sha256": sha256,
        }
        self._hash(columns)
        self._used.add(values, columns["split"])
        self._index.add(columns | {"shard": shards, "row": rows, VALIDATION: validation_places(sha256)})
        self._note_ids(block.ids)
        self._reject(block.rejects)
        self.accepted += len(values)

    def _add_copies(self, copies: Sequence[Copy]) -> None:
        labels = self._label_reader.names(copy.label for copy in copies)
        named = [replace(copy, label=label) for copy, label in zip(copies, labels, strict=True)]
        self._conflicts.add_copies(named)
        if found := [(copy.id, copy.sha256, copy.label) for copy in named if copy.label is not None]:
            path = self._folder / "copies.parquet"
            self._copies = self._copies or self._open.enter_context(growing_table(path, CONFLICTS))
            self._copies.add(dict(zip(COLUMNS, zip(*found, strict=True), strict=True)))

    def _note_ids(self, ids: Sequence[str]) -> None:
        """Note whether a 64-bit hash of an id was there before."""
        places = np.arange(self.accepted, self.accepted + len(ids))
        hashes = pd.util.hash_array(np.array(ids, object), categorize=False)
        self._repeated_ids |= bool((self._ids.add(short_keys(hashes), places) != places).any())

    def add_masks(self, masks: Iterable[tuple[str, np.ndarray]]) -> None:
        """Add what is wrong with some samples: an id, and a bool for each pixel."""
        for sample, mask in masks:
            self._masks = self._masks or self._open.enter_context(growing_table(self._folder / "masks.parquet", MASKS))
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
            self._content[name].update(_quoted(values).encode("utf-8", "replace"))

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
        self._conflicts.tell_divided(_rows_of(self._index, self._conflicts.divided(), COLUMNS[:2]))
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
        tables = [
            (self._masks, manifest.masks),
            (self._contradictions, manifest.conflicts),
            (self._index, manifest.index),
            (self._rejects, manifest.rejects),
        ]
        for table, name in tables:
            if table and name:
                table.close()
                seals.publish(table.path, self._folder / name)
        seals.write_text(self._folder / "last_ingest.json", json.dumps({"id": store_id, **report}, indent=2))
        seals.write_text(self._folder / "manifest.json", manifest.model_dump_json(indent=2))
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
        if self._copies:
            self._copies.close()
        taken, copies = (list(_rows_of(table, suspects, COLUMNS)) for table in (self._index, self._copies))
        verdict = judge(taken, copies)
        changed = {sha: verdict.label_of[sha] for _, sha, label in taken if verdict.label_of.get(sha, label) != label}
        if changed:
            self._relabel(changed)
            self._hash({"label by content": sorted(changed.items())})
        if verdict.rows:
            path = self._folder / "conflicts.parquet"
            self._contradictions = self._open.enter_context(growing_table(path, CONFLICTS))
            self._contradictions.add(dict(zip(COLUMNS, zip(*verdict.rows, strict=True), strict=True)))
            verdict.tell()
        return verdict.contents

    def _relabel(self, label_of: dict[str, str | None]) -> None:
        """Write the index again, with other labels for some content."""
        index = self._open.enter_context(growing_table(self._folder / "relabelled.parquet", INDEX))
        for batch in self._index.batches():
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
        """Compare the ids themselves only if two hashes are equal."""
        if not self._repeated_ids:
            return
        names = pq.read_table(self._index.path, columns=["sample_id"]).column(0).to_pandas()
        repeated = list(names[names.duplicated()].unique())
        if len(repeated):
            raise InputError(
                f"source {self._source!r} gave {len(repeated)} sample ids more than once, first: "
                f"{first_of(repeated)}. Ids must be unique."
            )


def _quoted(values: Sequence[Any]) -> str:
    """`repr` of each, and an end of line; at once for text that `repr` only puts between quotes."""
    if all(type(value) is str for value in values) and values:
        joined = "".join(values)
        if joined.isprintable() and "'" not in joined and "\\" not in joined:
            return "'" + "'\n'".join(values) + "'\n"
    return "".join([f"{value!r}\n" for value in values])


def _rows_of(table: GrowingTable | None, suspects: Suspects, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Of those suspects that are in a finished table, some columns."""
    for batch in table.batches() if table and suspects else ():
        places = pa.array(suspects.among(batch.column("sha256").to_pylist()), pa.int64())
        yield from zip(*batch.select(columns).take(places).to_pydict().values(), strict=True)


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
        seals.remove(path)
    seals.remove_leftovers(folder)
