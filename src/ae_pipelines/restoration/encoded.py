"""Encoded images in files, in folders and in parquet files, and what they are called."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import opened
from ae_pipelines.samples.image_files import format_of
from ae_pipelines.samples.parquet import encoded_leaf, open_parquet
from ae_pipelines.samples.parquet_pages import rows_at_once

log = logging.getLogger(__name__)

ROWS = 64
"""Rows that are read at once."""


@dataclass(frozen=True)
class EncodedImages:
    """Images that are not read yet."""

    names: list[str]
    """Paths below a folder, or what a parquet file calls them."""
    contents: Iterator[bytes | Path]
    """One for each name."""
    clean: list[Path | None]
    """What each should become, if given."""


def encoded_images(
    place: Path, *, image_column: str, clean: Path | None, limit: int | None, written: Path | None
) -> EncodedImages:
    """The first `limit` images at `place`, except those in the folder `written`, with the images in the folder `clean`
    that belong to them; `InputError` if there are none, or if none of the clean images belongs to one of them."""
    contents: Iterator[bytes | Path]
    if place.is_dir() or _is_image(place):
        files = list(islice(_below(place, written) if place.is_dir() else [(place.name, place)], limit))
        names, contents = [_printable(name) for name, _ in files], (path for _, path in files)
    else:
        names, contents = _parquet(place, image_column, limit)
    if not names:
        raise InputError(f"restore.input: no images in {place}: give a folder, or a parquet file, with some")
    by_name = {} if clean is None else _by_name(names, clean, written)
    return EncodedImages(names, contents, [by_name.get(name) for name in names])


def stem(name: str) -> str:
    """A path without its extension."""
    return str(PurePosixPath(name).with_suffix(""))


def _below(folder: Path, written: Path | None) -> Iterator[tuple[str, Path]]:
    """Every file at any depth that is not hidden, by its path below the folder; links are followed."""
    return ((path.relative_to(folder).as_posix(), path) for path in _files(folder, written and written.resolve(), []))


def _files(folder: Path, written: Path | None, above: list[Path]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:
        return  # a link to a folder above
    if here == written:
        log.warning("%s is where this stage writes: left out", folder)
        return
    try:
        entries = [(path, path.is_dir()) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except PermissionError:
        log.warning("folder %s may not be read: left out", folder)
        return
    for path, is_folder in entries:
        if is_folder:
            yield from _files(path, written, [*above, here])
        elif path.is_file():
            yield path


def _is_image(path: Path) -> bool:
    try:
        with opened(path) as file:
            return format_of(file.read(12)) is not None
    except OSError as error:
        raise InputError(f"restore.input: {path} cannot be read ({error.strerror}): make it readable") from error


def _by_name(names: list[str], folder: Path, written: Path | None) -> dict[str, Path]:
    """For each name the file that has it, or else one that has it with another extension."""
    files = [(_printable(name), path) for name, path in _below(folder, written)]
    known = {stem(name): path for name, path in files} | dict(files)
    found = {name: path for name in names if (path := known.get(name) or known.get(stem(name)))}
    if not found:
        raise InputError(
            f"restore.clean: none of the {len(files)} files in {folder} has the name of a given image, such as "
            f"{names[0]}: name them alike, or leave it out"
        )
    return found


def _parquet(path: Path, column: str, limit: int | None) -> tuple[list[str], Iterator[bytes]]:
    """The names of its rows, and the content of each."""
    with _readable(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        if schema.names.count(column) != 1:
            there = ", ".join(schema.names)
            raise InputError(f"restore.input: {path} has the columns {there}, no {column}: give restore.image_column")
        type_ = schema.field(column).type
        leaf = encoded_leaf(column, type_)
        if leaf is None:
            raise InputError(
                f"restore.input: column {column} of {path} is {type_}, expected binary, or a struct with bytes: give "
                "restore.image_column"
            )
        names = [f"{_printable(path.stem)}/{row:05d}" for row in range(min(limit or rows, rows))]
        if pa.types.is_struct(type_) and _is_text(type_, "path"):
            given = _values(path, file, column, f"{column}.path", "path")
            names = [text if PurePosixPath(text or "").name else name for name, text in zip(names, given, strict=False)]
    return names, islice(_contents(path, column, leaf), len(names))


def _is_text(struct: pa.DataType, field: str) -> bool:
    type_ = struct.field(field).type if struct.get_field_index(field) >= 0 else pa.null()
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _contents(path: Path, column: str, leaf: str) -> Iterator[bytes]:
    with _readable(path) as file:
        for content in _values(path, file, column, leaf, "bytes"):
            yield content or b""


def _values(path: Path, file: pq.ParquetFile, column: str, leaf: str, field: str) -> Iterator[Any]:
    """Values of a column, or of a field of its structs; a struct may be missing."""
    for batch in file.iter_batches(rows_at_once(path, file, [leaf], ROWS), columns=[leaf]):
        for value in batch.column(column).to_pylist():
            yield value.get(field) if isinstance(value, dict) else value


@contextmanager
def _readable(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with open_parquet(path, pre_buffer=False, buffer_size=2**20) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"restore.input: {path} is neither an image nor readable as parquet: {error}") from error


def _printable(name: str) -> str:
    """The name with bytes that are not text escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
