"""What crafted files are made and opened with."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from crafted import CANARY

MB = 2**20
Opening = Callable[[], object]


class Payload:
    """Writes the canary when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.place / CANARY)!r}, 'w').close()",))


def ingested(kind: str, folder: Path, **options: Any) -> Opening:
    """Ingests a source of this kind."""

    def ingest() -> object:
        from ae_pipelines.samples.ingest import IngestOptions, write_store
        from ae_pipelines.samples.sources import SourceChoice

        source = SourceChoice(kind=kind, **options).build()
        return write_store(folder / "store", source, IngestOptions(max_rejected_share=0, workers=1))

    return ingest


def parquet(table: pa.Table, path: Path, **options: Any) -> Path:
    """A parquet file of dictionaries and pages of any size."""
    large = {"dictionary_pagesize_limit": 2**30, "data_page_size": 2**30, "compression": "zstd", "store_schema": False}
    pq.write_table(table, path, **(large | options))
    return path


def repeated(value: bytes, rows: int) -> pa.Array:
    """One value in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.binary()))


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG that declares a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    return bytes(count)
