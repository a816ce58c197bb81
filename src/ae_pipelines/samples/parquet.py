"""Parquet files of any writer, opened so that columns of types that cannot be read hinder no others."""

import io
from collections.abc import Collection
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base.regular_files import regular

ARROW_SCHEMA = b"ARROW:schema"
"""Key of the writer's own types in the metadata."""


def open_parquet(path: Path, **options: Any) -> pq.ParquetFile:
    """The file; where its writer noted types that Arrow here does not have (such as Int128), without those notes."""
    regular(path)
    try:
        return pq.ParquetFile(path, **options)
    except pa.ArrowNotImplementedError:
        return pq.ParquetFile(pa.PythonFile(_WithoutNotes(path), mode="r"), **options)


def encoded_leaf(column: str, type_: pa.DataType) -> str | None:
    """The path to read for a parquet column of encoded images: the column, if it is binary, or its field `bytes`, as in
    Hugging Face's layout; None if it is neither."""
    leaf = column
    if pa.types.is_struct(type_) and type_.get_field_index("bytes") >= 0:
        leaf, type_ = f"{column}.bytes", type_.field("bytes").type
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return leaf if any(kind(type_) for kind in kinds) else None


def is_text(type_: pa.DataType) -> bool:
    """Whether a column is of strings, however they are laid out."""
    return any(kind(type_) for kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_uuid(type_: pa.DataType) -> bool:
    """Whether a column may be of UUIDs: some writers only say that it has 16 bytes."""
    return isinstance(type_, pa.UuidType) or (pa.types.is_fixed_size_binary(type_) and type_.byte_width == 16)


def readable(column: pa.Array) -> pa.Array:
    """A column as it is, but for UUIDs, which become text (01234567-89ab-...), and decimals, which become floats."""
    if is_uuid(column.type):
        held = column.storage if isinstance(column, pa.ExtensionArray) else column
        return pa.array([None if value is None else str(UUID(bytes=value)) for value in held.to_pylist()], pa.string())
    return column.cast(pa.float64(), safe=False) if pa.types.is_decimal(column.type) else column


def passed_over(folder: Path, read: Collection[Path]) -> list[Path]:
    """The `.parquet` files in this folder or below it that are not among those that are read.

    Not those whose name, or whose folder's, begins with a dot or `_`, as programs name what they keep for themselves.
    """
    known = {*read}
    return sorted(
        path
        for path in folder.rglob("*.parquet")
        if path not in known and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


class _WithoutNotes(io.FileIO):
    """A parquet file, as if its footer had another key for ARROW_SCHEMA, so that it is not looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._end = self.seek(0, io.SEEK_END)
        self.seek(self._end - 8)
        size = int.from_bytes(super().read(8)[:4], "little")
        self._footer_at = max(0, self._end - 8 - size)
        self.seek(self._footer_at)
        footer = super().read()
        self._footer = footer.replace(ARROW_SCHEMA, ARROW_SCHEMA.swapcase())
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        content = super().read(-1 if size is None else size)
        if start + len(content) <= self._footer_at:
            return content
        whole = max(0, self._footer_at - start)
        first = max(0, start - self._footer_at)
        return content[:whole] + self._footer[first : first + len(content) - whole]
