"""What reading a parquet file takes, by the headers of its pages: its footer may say anything, and pages that are
compressed a thousandfold, or a large value that many rows share, would not fit into memory."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.parquet import open_parquet

LARGEST_PAGE = 512 * 2**20
"""Most bytes of a page when it is decompressed: both it and its values are in memory at once."""
BOMB_FREE = 64 * 2**20
"""A page of up to so many bytes may be compressed by any factor."""
MOST_COMPRESSED = 20
"""Factor by which larger pages may be compressed; images and noisy numbers hardly are."""
BATCH_BYTES = 64 * 2**20
"""Most bytes that a column may take in rows that are read together."""
LARGE_VALUE = 2**20
MOST_SHARED = 100
"""How many times the size of the file its rows may have where they share a large value."""
MOST_ROWS_A_BYTE = 100
"""Rows that a file may declare for each of its bytes; more are the same row again and again."""
SMALL_FILE_ROWS = 10_000_000
"""So many rows a file may have at any size."""
HEADER_BYTES = 2**10
LONGEST_HEADER = 2**24
"""Arrow's own limit; a header may hold the lowest and the highest value of its page."""
DICTIONARY = 2
"""Number of that kind of page (parquet-format, `PageType`)."""


class Page(NamedTuple):
    """What the header of a page says."""

    kind: int
    size: int
    """Bytes, decompressed."""
    compressed: int
    """Bytes in the file, after the header."""
    values: int


def rows_at_once(path: Path, file: pq.ParquetFile, columns: Collection[str], most: int) -> int:
    """How many rows of these columns can be read together, at most `most`; `InputError` if memory may not hold even
    one, `ArrowInvalid` if pages are not where they should be. A column of structs is given as the path of one of its
    fields."""
    metadata, bytes_ = file.metadata, path.stat().st_size
    if metadata.num_rows > max(SMALL_FILE_ROWS, MOST_ROWS_A_BYTE * bytes_):
        raise InputError(f"{path} declares {metadata.num_rows:,} rows in {bytes_:,} bytes: give rows that differ")
    read = [place for place in range(metadata.num_columns) if metadata.schema.column(place).path in columns]
    largest = max((metadata.schema.column(place).length or 1 for place in read), default=1)
    with path.open("rb", buffering=0) as content:
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for place in read:
                chunk = group.column(place)
                for page in _pages(content, chunk):
                    _refuse_large(page, path, chunk.path_in_schema)
                    if page.kind == DICTIONARY and page.size * most > BATCH_BYTES:
                        value = _largest_value(path, number, chunk, page)
                        _refuse_shared(value, group.num_rows, path, chunk.path_in_schema)
                        largest = max(largest, value)
    return max(1, min(most, BATCH_BYTES // largest))


def _refuse_large(page: Page, path: Path, column: str) -> None:
    allowed = max(BOMB_FREE, min(LARGEST_PAGE, MOST_COMPRESSED * page.compressed))
    if page.size > allowed:
        raise InputError(
            f"{path}: column {column} has {page.compressed:,} bytes that become {page.size:,}, more than the "
            f"{allowed:,} allowed: write it again in smaller pages, or without what repeats"
        )


def _refuse_shared(value: int, rows: int, path: Path, column: str) -> None:
    if value > LARGE_VALUE and value * rows > MOST_SHARED * path.stat().st_size:
        raise InputError(
            f"{path}: column {column} has a value of {value:,} bytes that up to {rows:,} rows share: give rows that "
            "differ, or smaller values"
        )


def _largest_value(path: Path, group: int, chunk: pq.ColumnChunkMetaData, page: Page) -> int:
    """Bytes of the largest value in a chunk's dictionary, or of all of them."""
    if chunk.physical_type != "BYTE_ARRAY":
        return 1
    with open_parquet(path, read_dictionary=[chunk.path_in_schema], pre_buffer=False, buffer_size=2**16) as file:
        first = next(file.iter_batches(1, row_groups=[group], columns=[chunk.path_in_schema], use_threads=False))
    column: pa.Array = first.column(0)
    while isinstance(column, pa.StructArray):
        column = column.field(0)
    if not isinstance(column, pa.DictionaryArray) or len(column.dictionary) < page.values:
        return page.size
    return int(pc.max(pc.binary_length(column.dictionary)).as_py() or 1)


# -- headers, in Thrift's compact protocol ------------------------------------------------------------------------


def _pages(file: BinaryIO, chunk: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """The pages of a column chunk, where Arrow looks for them."""
    offsets = [chunk.data_page_offset]
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        offsets.append(chunk.dictionary_page_offset)
    at, values = min(offsets), 0
    end = at + chunk.total_compressed_size
    while at < end and values < chunk.num_values:
        page, length = _header_at(file, at)
        values += 0 if page.kind == DICTIONARY else page.values
        at += length + page.compressed
        yield page


def _header_at(file: BinaryIO, at: int) -> tuple[Page, int]:
    """The header there, and its own length; `ArrowInvalid` if there is none."""
    size = HEADER_BYTES
    while size <= LONGEST_HEADER:
        file.seek(at)
        content = file.read(size)
        try:
            return _parsed(content)
        except IndexError:
            if len(content) < size:
                break
            size *= 4
        except ValueError:
            break
    raise pa.ArrowInvalid(f"there is no page at byte {at}")


def _parsed(content: bytes) -> tuple[Page, int]:
    """`IndexError` if the content ends within the header, `ValueError` if it is none."""
    reader = _Compact(content)
    found = dict(reader.struct())
    counts: dict[int, int] = next((found[number] for number in (5, 7, 8) if number in found), {})
    try:
        page = Page(kind=found[1], size=found[2], compressed=found[3], values=counts.get(1, 0))
    except (KeyError, AttributeError) as error:
        raise ValueError("no page") from error
    if not all(isinstance(value, int) and value >= 0 for value in page):
        raise ValueError("no page")
    return page, reader.at


class _Compact:
    """Reads one struct: numbers and structs in it; everything else is passed over."""

    DEEPEST = 8

    def __init__(self, content: bytes) -> None:
        self._content, self.at = content, 0

    def struct(self, depth: int = 0) -> Iterator[tuple[int, Any]]:
        if depth > self.DEEPEST:
            raise ValueError("no page")
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._number()
            yield number, self._value(kind & 0xF, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._number()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._varint())
        if kind == 12:
            return dict(self.struct(depth + 1))
        raise ValueError("no page")  # headers have no lists

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._content):
            raise IndexError

    def _byte(self) -> int:
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("no page")

    def _number(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
