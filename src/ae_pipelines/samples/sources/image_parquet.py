"""Images in parquet files, laid out as Hugging Face does: encoded images in one column, labels in another."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.parquet import encoded_leaf, is_text, is_uuid, open_parquet, passed_over, readable
from ae_pipelines.samples.parquet_pages import rows_at_once
from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.source import EncodedBlock, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.sources.image_source import ImageSource

log = logging.getLogger(__name__)

ROWS_PER_BLOCK = 256
BLOCK_BYTES = 16 * 2**20
"""Bytes of encoded images in a block, which has fewer rows where images are large."""
READ_BYTES = 2**20
"""Bytes of a column that are read at once."""
NO_BYTES = hashlib.sha256().hexdigest()


@SOURCES.register("image_parquet")
class ImageParquet(ImageSource):
    """The images in a parquet file, or in all parquet files of a folder, sorted by name."""

    image_column: str = "image"
    """Column of bytes, or of structs with a field `bytes`."""
    label_column: str | None = "label"
    """Column of numbers, booleans or strings; None: unlabelled. Whole numbers, floats too, become the class names in
    Hugging Face's metadata, if it has some, where -1 means unlabelled."""
    id_column: str | None = None
    """Column of whole numbers, strings or UUIDs; None: ids are <file>/<row>."""
    splits: Literal["file_name", "content"] | None = None
    """file_name: file names start with train or test (or Train, TEST); content: each sample's split follows from its
    content; None: file_name if both starts occur, content if neither or only one does."""

    @property
    def name(self) -> str:
        return printable_stem(self.path) or "image_parquet"

    def count(self) -> int:
        return sum(file.count for file in self._files)

    def blocks(self) -> Iterator[EncodedBlock]:
        for file in self._files:
            for rows in file.blocks():
                present = [row for row in rows if row.image is not None]
                yield EncodedBlock(
                    contents=[row.image for row in present if row.image is not None],
                    ids=[row.id for row in present],
                    labels=[row.label for row in present],
                    splits=[file.split] * len(present) if file.split else None,
                    rejects=[Reject(row.id, NO_BYTES, "no image") for row in rows if row.image is None],
                )

    @cached_property
    def _files(self) -> list["_File"]:
        """All files, with their columns checked."""
        paths = sorted(self.path.glob("[!.]*.parquet")) if self.path.is_dir() else [self.path]
        if not paths:
            below = (
                f", only in folders below it, such as {left[0].parent}" if (left := passed_over(self.path, [])) else ""
            )
            raise NothingThere(
                f"no parquet file at {self.path}{below}: give one, or a folder of them, source.path=<path>"
            )
        if not all(path.is_file() for path in paths):
            raise InputError(f"no parquet file at {self.path}: give one, or a folder of them, source.path=<path>")
        if self.path.is_dir() and (left := passed_over(self.path, paths)):
            log.warning(
                "%d .parquet files in folders below %s are not read: %s; move them to the others",
                *(len(left), self.path, first_of([path.relative_to(self.path).as_posix() for path in left], 5)),
            )
        splits = _splits(paths, self.splits)
        return [_File(path, split, self) for path, split in zip(paths, splits, strict=True)]

    def _headers(self, needed: bool) -> Iterator[tuple[str, BinaryIO | None]]:
        rows = (row for file in self._files for block in file.blocks() for row in block)
        return ((row.id, BytesIO(row.image or b"")) for row in rows)


class _Row(NamedTuple):
    id: str
    image: bytes | None
    label: Any


class _File:
    """One parquet file; `InputError` if it lacks a column, or has one of another type."""

    def __init__(self, path: Path, split: str | None, options: ImageParquet) -> None:
        self.path, self.split, self._options = path, split, options
        self._stem = printable_stem(path)
        with _opened(path) as file:
            self.count: int = file.metadata.num_rows
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            largest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
            self._rows_per_block = max(1, min(ROWS_PER_BLOCK, BLOCK_BYTES // max(1, largest)))
            schema = file.schema_arrow
        for name in self._columns():
            if schema.names.count(name) != 1:
                raise InputError(
                    f"{path} has the columns {', '.join(schema.names)}, expected one {name}: "
                    "give source.image_column, source.label_column (null for none) or source.id_column"
                )
        types = {name: schema.field(name).type for name in self._columns()}
        self._leaf = self._image_leaf(types.pop(options.image_column))
        for name, type_ in types.items():
            self._refuse_unnameable(name, type_, is_id=name == options.id_column)
        self._class_names = _class_names(schema.metadata, options.label_column)

    def blocks(self) -> Iterator[list[_Row]]:
        """All rows, a block at a time."""
        with _opened(self.path) as file:
            start = 0
            columns = [self._leaf, *self._columns()[1:]]
            rows = rows_at_once(self.path, file, columns, self._rows_per_block)
            for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                yield self._rows(batch, start)
                start += len(batch)

    def _columns(self) -> list[str]:
        options = self._options
        return [name for name in (options.image_column, options.label_column, options.id_column) if name is not None]

    def _rows(self, batch: pa.RecordBatch, start: int) -> list[_Row]:
        options, nothing = self._options, [None] * len(batch)
        images = batch.column(options.image_column).to_pylist()
        labels = readable(batch.column(options.label_column)).to_pylist() if options.label_column else nothing
        ids = readable(batch.column(options.id_column)).to_pylist() if options.id_column else nothing
        return [
            _Row(
                id=self._id(ids[place], start + place),
                image=image["bytes"] if isinstance(image, dict) else image,
                label=self._label(labels[place], start + place),
            )
            for place, image in enumerate(images)
        ]

    def _id(self, given: int | str | None, row: int) -> str:
        if self._options.id_column is None:
            return f"{self._stem}/{row:05d}"
        if given is None:
            raise InputError(f"{self.path}: row {row} has no {self._options.id_column}: every sample needs an id")
        return str(given)

    def _label(self, given: Any, row: int) -> Any:
        """The name of its class, if the metadata says it, or else as the file holds it; None if there is none."""
        names = self._class_names
        if given is None or given != given:  # NaN is unlike itself
            return None
        if not names or isinstance(given, bool) or not isinstance(given, int | float | Decimal):
            return given
        if given == -1:
            return given if "-1" in (self._options.unlabelled or ()) else None
        if given % 1 or not 0 <= given < len(names):
            raise InputError(f"{self.path}: row {row} has the label {given}, but there are {len(names)} classes")
        return names[int(given)]

    def _image_leaf(self, type_: pa.DataType) -> str:
        """The path to read for the image column."""
        leaf = encoded_leaf(self._options.image_column, type_)
        if leaf is None:
            raise InputError(
                f"{self.path}: column {self._options.image_column} is {type_}, expected binary, or a struct with "
                "bytes: give source.image_column"
            )
        return leaf

    def _refuse_unnameable(self, name: str, type_: pa.DataType, is_id: bool) -> None:
        found = type_.value_type if pa.types.is_dictionary(type_) else type_
        tests = [pa.types.is_integer, is_text, pa.types.is_null, is_uuid]
        if not is_id:
            tests += [pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal]
        if not any(test(found) for test in tests):
            expected = "whole numbers, strings or UUIDs" if is_id else "numbers, booleans or strings"
            raise InputError(f"{self.path}: column {name} is {type_}, expected {expected}")


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Read as a stream; `InputError` if the file cannot be read, now or later."""
    faults = (pa.ArrowException, OSError, UnicodeDecodeError)
    with (
        faults_of(path, "fetch or write it again", faults, "parquet"),
        open_parquet(path, buffer_size=READ_BYTES, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        yield file


def _class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str] | None:
    """Hugging Face's names of the classes of a column, if a schema's metadata has them."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
        return [str(name) for name in names]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _splits(paths: list[Path], given: str | None) -> list[str | None]:
    """The split of each file; None: each sample's split follows from its content."""
    named = [
        next((split for split in ("train", "test") if path.name.lower().startswith(split)), None) for path in paths
    ]
    if given == "content" or (given is None and len(set(named)) == 1):  # train alone leaves nothing to evaluate on
        return [None] * len(paths)
    if not all(named):
        others = [path.name for path, split in zip(paths, named, strict=True) if not split]
        raise InputError(
            f"the names of {len(others)} of {len(paths)} files start with neither train nor test "
            f"({first_of(others)}): rename them, move them away, or give source.splits=content"
        )
    return named
