"""Writes a source into a sample store: as a stream, decoded once, and taken up after a kill."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import filelock
import pyarrow as pa
from pydantic import Field

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError, NothingThere
from ae_pipelines.base.options import Options
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.samples.classes import tell_classes
from ae_pipelines.samples.decoding import Decoding, Digests
from ae_pipelines.samples.given_labels import GivenLabels, LabelFiles
from ae_pipelines.samples.labels import LabelReader, PartlyLabelled
from ae_pipelines.samples.masks import read_masks
from ae_pipelines.samples.source import Block, EncodedSource, MaskedSource, Source
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.store_writer import StoreWriter

log = logging.getLogger(__name__)

FIRST = 10
"""How many samples that are gone are listed."""


class IngestOptions(Options):
    """How a source is ingested."""

    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Above this share of unusable samples (duplicates not counted) the run fails."""
    workers: Annotated[int, Field(gt=0)] | None = None
    """Number of decoding processes; None: one per CPU."""
    labels: LabelFiles = []
    """Tables of further labels by sample id (columns path and label), as the report saves them. They count more than
    the source's own, and later tables more than earlier ones."""

    @property
    def also_reads(self) -> list[Path]:
        """Files that are named in fields of other types than Path."""
        return [Path(path) for path in self.labels]


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
    given = GivenLabels(options.labels)
    spec = source.spec()
    with _exclusively(folder):
        count = source.count()
        decoding = Decoding(source, folder, spec) if isinstance(source, EncodedSource) else None
        blocks = decoding.blocks(count, options.workers) if decoding else source.blocks()
        labels = LabelReader(_unlabelled(source) or ())
        key = decoding.key if decoding else None
        with StoreWriter(folder, spec, source.name, labels, key) as store, closing(blocks):  # type: ignore[type-var]
            for block in _with_progress(blocks, count):  # type: ignore[arg-type]
                store.add(given.over(block))
            given.tell()
            if isinstance(source, MaskedSource):
                store.add_masks(read_masks(source))
            report = {"seconds": round(time.monotonic() - started, 1), "decoded": store.accepted, "reused": 0}
            if decoding:
                report |= {"decoded": decoding.decoded, "reused": decoding.reused}
                report |= _removed_samples(folder, source.name, decoding.contents)
            samples = store.finish(options.max_rejected_share, report)
        labels.tell()
        return samples


def _unlabelled(source: Source | EncodedSource) -> tuple[str, ...] | None:
    return source.unlabelled if isinstance(source, PartlyLabelled) else None


def write_empty_store(folder: Path, spec: SampleSpec, source: str) -> Samples:
    """Write a store without samples."""
    with _exclusively(folder), StoreWriter(folder, spec, source, LabelReader(), None) as store:
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
