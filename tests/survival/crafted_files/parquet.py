"""Parquet."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from crafted import case

from crafted_files.openings import MB, Opening, Payload, ingested, parquet, png, repeated, zeros


@case("parquet: one value of 60 MB in 1,000 rows", short=True)
def _(folder: Path) -> Opening:
    table = pa.table({"image": repeated(zeros(60 * MB), 1000)})
    path = parquet(table, folder / "images.parquet")
    return ingested("image_parquet", folder, path=path, label_column=None)


@case("parquet: a cell of 1 GB")
def _(folder: Path) -> Opening:
    table = pa.table({"image": pa.array([zeros(1000 * MB)], pa.binary())})
    path = parquet(table, folder / "images.parquet", use_dictionary=False)
    return ingested("image_parquet", folder, path=path, label_column=None)


@case("parquet: a page of 1 GB", short=True)
def _(folder: Path) -> Opening:
    table = pa.table({"image": pa.array([zeros(10 * MB)] * 100, pa.binary())})
    path = parquet(table, folder / "images.parquet", use_dictionary=False)
    return ingested("image_parquet", folder, path=path, label_column=None)


@case("parquet: a label of 60 MB in 1,000 rows")
def _(folder: Path) -> Opening:
    labels = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array(["a" * 60 * MB]))
    table = pa.table({"image": pa.array([png(8, 8, bytes(72))] * 1000), "label": labels})
    return ingested("image_parquet", folder, path=parquet(table, folder / "images.parquet"))


@case("parquet: 100 million rows of one image in a few kB")
def _(folder: Path) -> Opening:
    image = repeated(png(8, 8, bytes(72)), 2_000_000)
    table = pa.table({"image": pa.chunked_array([image] * 50)})
    path = parquet(table, folder / "images.parquet")
    return ingested("image_parquet", folder, path=path, label_column=None)


@case("parquet: a table with text of 60 MB in 1,000 rows", short=True)
def _(folder: Path) -> Opening:
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array(["a" * 60 * MB]))
    table = pa.table({"a": np.arange(1000.0), "text": text})
    return ingested("table", folder, path=parquet(table, folder / "rows.parquet"))


@case("parquet: a table with a page of 1 GB")
def _(folder: Path) -> Opening:
    table = pa.table({"a": np.zeros(128 * MB)})
    path = parquet(table, folder / "rows.parquet", use_dictionary=False, data_page_size=2**31 - 1, row_group_size=2**31)
    return ingested("table", folder, path=path)


@case("parquet: a table of 100 million equal rows in a few kB")
def _(folder: Path) -> Opening:
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**7, np.int8)), pa.array([1.5]))
    table = pa.table({"a": pa.chunked_array([column] * 10)})
    return ingested("table", folder, path=parquet(table, folder / "rows.parquet"))


@case("parquet: 100,000 columns")
def _(folder: Path) -> Opening:
    table = pa.table({f"c{number}": [0.5, 1.5] for number in range(100_000)})
    return ingested("table", folder, path=parquet(table, folder / "rows.parquet"))


def _lying(folder: Path, old: int, new: int, table: pa.Table, name: str, **options: Any) -> Path:
    """A parquet file whose footer says `new` wherever it said `old`."""
    path = parquet(table, folder / name, **options)
    content = path.read_bytes()
    size = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - size : -8]
    written = varint(old)
    assert written in footer
    footer = footer.replace(written, varint(new, len(written)))
    path.write_bytes(content[: -8 - size] + footer + content[-8:])
    return path


def varint(value: int, length: int = 0) -> bytes:
    """Thrift's compact form of a number (zigzag), in at least so many bytes."""
    value = 2 * value if value >= 0 else -2 * value - 1
    groups: list[int] = []
    while value or not groups or len(groups) < length:
        groups.append(value & 0x7F)
        value >>= 7
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


@case("parquet: a page of 1 GB that the footer calls small", short=True)
def _(folder: Path) -> Opening:
    table = pa.table({"image": pa.array([zeros(10 * MB)] * 100, pa.binary())})
    (whole := folder / "whole").mkdir()
    path = parquet(table, whole / "a.parquet", use_dictionary=False)
    size = pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size
    path = _lying(folder, size, 1000, table, "images.parquet", use_dictionary=False)
    return ingested("image_parquet", folder, path=path, label_column=None)


@case("parquet: a footer of more rows than there are")
def _(folder: Path) -> Opening:
    table = pa.table({"a": np.arange(777_777.0)})
    return ingested("table", folder, path=_lying(folder, 777_777, 1_040_000, table, "rows.parquet"))


@case("parquet: a footer that is noise")
def _(folder: Path) -> Opening:
    path = folder / "rows.parquet"
    path.write_bytes(b"PAR1" + bytes(range(256)) * 10 + struct.pack("<I", 2000) + b"PAR1")
    return ingested("table", folder, path=path)


@case("parquet: a footer of 2 GB")
def _(folder: Path) -> Opening:
    path = folder / "rows.parquet"
    path.write_bytes(b"PAR1" + bytes(1000) + struct.pack("<I", 2**31 - 1) + b"PAR1")
    return ingested("table", folder, path=path)


@case("parquet: an extension type that unpickles", short=True, refused=False)
def _(folder: Path) -> Opening:
    field = pa.field(
        "a",
        pa.float64(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(Payload(folder)),
        },
    )
    table = pa.table([np.arange(50.0), np.arange(50.0) ** 2], schema=pa.schema([field, pa.field("b", pa.float64())]))
    path = parquet(table, folder / "rows.parquet", store_schema=True)
    return ingested("table", folder, path=path)


@case("parquet: pandas metadata that lies", refused=False)
def _(folder: Path) -> Opening:
    pandas = {"index_columns": [{"kind": "range", "start": 0, "stop": 10**15, "step": 1, "name": None}], "columns": []}
    table = pa.table({"a": np.arange(50.0), "b": np.arange(50.0) ** 2})
    table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    return ingested("table", folder, path=parquet(table, folder / "rows.parquet"))


@case("parquet: Hugging Face's metadata nested 100,000 deep", refused=False)
def _(folder: Path) -> Opening:
    images = [png(8, 8, bytes([0, *([number] * 8)]) * 8) for number in range(50)]
    table = pa.table({"image": images, "label": [number % 3 for number in range(50)]})
    table = table.replace_schema_metadata({"huggingface": "[" * 100_000})
    return ingested("image_parquet", folder, path=parquet(table, folder / "images.parquet"))
