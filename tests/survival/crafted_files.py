"""The crafted files: bombs, lies, code, and what is no file at all."""

import gzip
import io
import json
import os
import pickle
import socket
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from crafted import CANARY, case

MB = 2**20
Opening = Callable[[], object]


class Payload:
    """Writes the canary when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.place / CANARY)!r}, 'w').close()",))


# -- what opens them -----------------------------------------------------------------------------------------


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


# -- parquet -------------------------------------------------------------------------------------------------


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
    groups = []
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


# -- text ------------------------------------------------------------------------------------------------------


def written(path: Path, *pieces: bytes, times: int = 1) -> Path:
    with path.open("wb") as file:
        file.write(pieces[0])
        for _ in range(times):
            file.write(pieces[1] if len(pieces) > 1 else b"")
        for piece in pieces[2:]:
            file.write(piece)
    return path


@case("CSV: a line of 1 GB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n1,", b"1" * MB, b"\n2,3\n", times=1000))


@case("CSV: a first line of 1 GB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,", b"b" * MB, b"\n2,3\n", times=1000))


@case("CSV: an open quote and 200 MB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b'a,b\n1,2\n1,"', b"1,2\n" * MB, times=50))


@case("CSV: a million columns", short=True)
def _(folder: Path) -> Opening:
    names = ",".join(f"c{number}" for number in range(10**6)).encode()
    return ingested("table", folder, path=written(folder / "rows.csv", names + b"\n", b"1," * (10**6 - 1) + b"1\n"))


@case("CSV: a million columns in the second line")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n", b"1," * (10**6 - 1) + b"1\n"))


@case("CSV: gzipped zeros")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", gzip.compress(zeros(200 * MB))))


@case("CSV: 300 MB of NUL")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"", zeros(MB), times=300))


@case("CSV: 300 MB of empty lines")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n", b"\n" * MB, times=300))


def _images(folder: Path, count: int = 20) -> Path:
    (images := folder / "images").mkdir()
    for number in range(count):
        (images / f"{number}.png").write_bytes(png(8, 8, bytes([0, *([number * 10] * 8)]) * 8))
    return images


def labelled(folder: Path) -> Opening:
    return ingested("image_folder", folder, path=folder / "images", labels="file")


@case("labels: a file of 600 MB", short=True)
def _(folder: Path) -> Opening:
    written(_images(folder) / "labels.csv", b"path,label\n0.png,a\n", b"1.png,b\n" * (MB // 8), times=600)
    return labelled(folder)


@case("labels: 10 million rows that are too long")
def _(folder: Path) -> Opening:
    written(_images(folder) / "labels.csv", b"path,label\n0.png,a\n", b"1,b,c\n" * 10**6, times=10)
    return labelled(folder)


@case("labels: a line of 200 MB")
def _(folder: Path) -> Opening:
    written(_images(folder) / "labels.csv", b"path,label\n0.png,", b"a" * MB, times=200)
    return labelled(folder)


@case("labels: given ones, 600 MB")
def _(folder: Path) -> Opening:
    path = written(folder / "given.csv", b"path,label\n0.png,a\n", b"1.png,b\n" * (MB // 8), times=600)

    def read() -> object:
        from ae_pipelines.samples.given_labels import GivenLabels

        return GivenLabels([str(path)])

    return read


# -- arrays ----------------------------------------------------------------------------------------------------


def npy(shape: Any, dtype: str = "<f8", fortran: bool = False, text: str | None = None) -> bytes:
    header = text or repr({"descr": dtype, "fortran_order": fortran, "shape": shape})
    content = header.encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(content)) + content


def array(folder: Path, content: bytes, layout: str = "NF") -> Opening:
    (folder / "values.npy").write_bytes(content)
    return ingested("array", folder, path=folder / "values.npy", layout=layout)


def archive(folder: Path, members: Mapping[str, bytes], **options: Any) -> Opening:
    with zipfile.ZipFile(folder / "values.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return ingested("array", folder, path=folder / "values.npz", layout="NF", **options)


@case("npy: pickled objects", short=True)
def _(folder: Path) -> Opening:
    np.save(folder / "values.npy", np.array([Payload(folder)] * 3, object), allow_pickle=True)
    return ingested("array", folder, path=folder / "values.npy", layout="NF")


@case("npy: 10^12 rows declared", short=True)
def _(folder: Path) -> Opening:
    return array(folder, npy((10**12, 8)) + bytes(8000))


@case("npy: a row of 10^12 values")
def _(folder: Path) -> Opening:
    return array(folder, npy((3, 10**12)) + bytes(8000))


@case("npy: an expression of 10 MB as header")
def _(folder: Path) -> Opening:
    return array(folder, npy(None, text="{'descr': '<f8', 'shape': " + "(" * 5 * MB + ")" * 5 * MB + "}"))


@case("npy: code as header")
def _(folder: Path) -> Opening:
    return array(folder, npy(None, text=f"{{'shape': open({str(folder / CANARY)!r}, 'w').close()}}"))


@case("npy: a header nested 4,000 deep")
def _(folder: Path) -> Opening:
    return array(folder, npy(None, text="{'descr': '<f8', 'fortran_order': False, 'shape': " + "(" * 4000 + "}"))


@case("npy: a negative shape")
def _(folder: Path) -> Opening:
    return array(folder, npy((-1, -8)) + bytes(64))


@case("npy: text of 2^31 characters")
def _(folder: Path) -> Opening:
    return array(folder, npy((3,), "<U2147483647") + bytes(64))


@case("npy: a dtype with fields nested 200 deep")
def _(folder: Path) -> Opening:
    dtype: Any = "<f8"
    for _ in range(200):
        dtype = [("a", dtype)]
    return array(folder, npy(None, text=repr({"descr": dtype, "fortran_order": False, "shape": (1,)})) + bytes(8))


@case("npz: a row of 4 GB")
def _(folder: Path) -> Opening:
    content = npy((1, 2**29)) + bytes(8)
    with (
        zipfile.ZipFile(folder / "values.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a.npy", "w", force_zip64=True) as member,
    ):
        member.write(content)
        for _ in range(256):
            member.write(zeros(4 * MB))
    return ingested("array", folder, path=folder / "values.npz", layout="NF")


@case("npz: members that declare other sizes")
def _(folder: Path) -> Opening:
    opening = archive(folder, {"a.npy": npy((100, 8)) + bytes(6400)})
    content = (folder / "values.npz").read_bytes()
    size = struct.pack("<I", len(npy((100, 8)) + bytes(6400)))
    (folder / "values.npz").write_bytes(content.replace(size, struct.pack("<I", 2**31)))
    return opening


@case("npz: 200,000 members")
def _(folder: Path) -> Opening:
    with zipfile.ZipFile(folder / "values.npz", "w") as file:
        for number in range(200_000):
            file.writestr(f"{number}.npy", b"")
    return ingested("array", folder, path=folder / "values.npz", layout="NF")


@case("npz: pickled labels")
def _(folder: Path) -> Opening:
    np.savez(
        folder / "values.npz", a=np.zeros((3, 8)), labels=np.array([Payload(folder)] * 3, object), allow_pickle=True
    )
    return ingested("array", folder, path=folder / "values.npz", layout="NF", labels="labels")


# -- IDX, CIFAR, images ---------------------------------------------------------------------------------------------


def idx(folder: Path, images: bytes, labels: bytes | None = None) -> Opening:
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    labels = struct.pack(">II", 0x801, 10) + bytes(10) if labels is None else labels
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    return ingested("idx", folder, path=folder, name="crafted")


@case("IDX: 4 billion images declared")
def _(folder: Path) -> Opening:
    return idx(folder, struct.pack(">IIII", 0x803, 2**32 - 1, 8, 8) + bytes(640))


@case("IDX: images of 16 TB")
def _(folder: Path) -> Opening:
    return idx(folder, struct.pack(">IIII", 0x803, 10, 2**22, 2**22) + bytes(640))


@case("IDX: gzipped, with 200 MB behind its end", short=True)
def _(folder: Path) -> Opening:
    content = struct.pack(">IIII", 0x803, 10, 8, 8) + bytes(640)
    return idx(folder, gzip.compress(content + zeros(200 * MB)))


@case("IDX: a billion labels, gzipped")
def _(folder: Path) -> Opening:
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 10, 8, 8) + bytes(640))
    with gzip.open(folder / "train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">II", 0x801, 10**9))
        for _ in range(1000):
            file.write(zeros(10**6))
    return ingested("idx", folder, path=folder, name="crafted")


def tar(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Opening:
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as file:
        for member, content in members:
            member.size = len(content)
            file.addfile(member, io.BytesIO(content) if content else None)
    return ingested("cifar10", folder, path=folder)


@case("CIFAR-10: members that are links out of the folder")
def _(folder: Path) -> Opening:
    members = []
    for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        members.append((member, b""))
    return tar(folder, *members)


@case("CIFAR-10: a file of 1 GB, gzipped")
def _(folder: Path) -> Opening:
    members = [(tarfile.TarInfo("data_batch_1.bin"), zeros(1000 * MB))]
    members += [(tarfile.TarInfo(f"data_batch_{number}.bin"), zeros(30)) for number in range(2, 6)]
    return tar(folder, *members, (tarfile.TarInfo("test_batch.bin"), zeros(30)))


@case("CIFAR-10: 300,000 members")
def _(folder: Path) -> Opening:
    return tar(folder, *((tarfile.TarInfo(str(number)), b"") for number in range(300_000)))


def one_image(folder: Path, content: bytes, name: str = "bomb.png", **options: Any) -> Opening:
    _images(folder, 3)
    (folder / "images" / name).write_bytes(content)
    return ingested("image_folder", folder, path=folder / "images", size=[8, 8], resize="crop", **options)


@case("image: a PNG of 50,000 x 50,000", short=True)
def _(folder: Path) -> Opening:
    return one_image(folder, png(50_000, 50_000, zeros(50 * MB)))


@case("image: a PNG of 16 megapixels and a row, without pixels")
def _(folder: Path) -> Opening:
    return one_image(folder, png(4000, 4001, zeros(10)))


def _text_chunk(size: int, times: int) -> bytes:
    data = b"a\0\0" + zlib.compress(zeros(size), 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    content = png(8, 8, bytes(72))
    return content[:33] + chunk * times + content[33:]


@case("image: a PNG with 1 GB of text in it")
def _(folder: Path) -> Opening:
    return one_image(folder, _text_chunk(1000 * MB, 1))


@case("image: a PNG with 1,000 texts of 1 MB")
def _(folder: Path) -> Opening:
    return one_image(folder, _text_chunk(MB - 1, 1000))


def _tiff(width: int, height: int, tags: Mapping[int, tuple[int, int, int]], data: bytes) -> bytes:
    entries = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8)}
    entries |= {277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, len(data)), **tags}
    table = struct.pack("<H", len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        table += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table + struct.pack("<I", 0)


@case("image: a TIFF of 60,000 x 60,000")
def _(folder: Path) -> Opening:
    return one_image(folder, _tiff(60_000, 60_000, {}, bytes(64)), "bomb.tif")


@case("image: a TIFF that is its own next page", refused=False)
def _(folder: Path) -> Opening:
    return one_image(folder, _tiff(8, 8, {}, bytes(64))[:-4] + struct.pack("<I", 8 + 64), "loop.tif")


@case("image: a GIF of 65,535 x 65,535")
def _(folder: Path) -> Opening:
    content = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    content += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"
    return one_image(folder, content, "bomb.gif")


@case("image: a sparse file of 2 GB")
def _(folder: Path) -> Opening:
    _images(folder, 3)
    with (folder / "images" / "large.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(2 * 2**30)
    return ingested("image_folder", folder, path=folder / "images", size=[8, 8], resize="crop")


# -- what is no file -----------------------------------------------------------------------------------------------


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def named_socket(path: Path) -> Path:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return path


def device(path: Path, name: str) -> Path:
    path.symlink_to(name)
    return path


def given_image(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.new_image import as_stored
        from ae_pipelines.samples.spec import SampleSpec

        return as_stored(path, SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={}))

    return read


def weights_in(folder: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.training.trained import TrainedModel

        return TrainedModel.load(folder)

    return read


def saved_in(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.downstream import saved

        return saved.read(path)

    return read


def store_in(folder: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.store import Samples

        samples = Samples(folder)
        samples.read()
        return samples.index

    return read


def labels_in(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.given_labels import GivenLabels

        return GivenLabels([str(path)])

    return read


@case("a pipe as an array", short=True)
def _(folder: Path) -> Opening:
    return ingested("array", folder, path=pipe(folder / "values.npy"), layout="NF")


@case("a pipe as a table")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=pipe(folder / "rows.csv"))


@case("a pipe among the parquet files of a folder")
def _(folder: Path) -> Opening:
    parquet(pa.table({"a": np.arange(50.0)}), folder / "a.parquet")
    pipe(folder / "b.parquet")
    return ingested("table", folder, path=folder)


@case("a pipe as the labels of images", short=True)
def _(folder: Path) -> Opening:
    pipe(_images(folder) / "labels.csv")
    return labelled(folder)


@case("a pipe as given labels")
def _(folder: Path) -> Opening:
    return labels_in(pipe(folder / "given.csv"))


@case("/dev/zero as given labels", short=True)
def _(folder: Path) -> Opening:
    return labels_in(device(folder / "given.csv", "/dev/zero"))


@case("a socket as given labels")
def _(folder: Path) -> Opening:
    return labels_in(named_socket(folder / "given.csv"))


@case("a pipe among images", refused=False)
def _(folder: Path) -> Opening:
    pipe(_images(folder) / "pipe.png")
    return ingested("image_folder", folder, path=folder / "images")


@case("/dev/zero as an IDX file")
def _(folder: Path) -> Opening:
    opening = idx(folder, b"")
    (folder / "train-images-idx3-ubyte").unlink()
    device(folder / "train-images-idx3-ubyte", "/dev/zero")
    return opening


@case("a pipe among CIFAR-10's files")
def _(folder: Path) -> Opening:
    (folder / "data_batch_1.bin").write_bytes(bytes(30_730_000))
    for name in [*(f"data_batch_{number}.bin" for number in range(2, 6)), "test_batch.bin"]:
        pipe(folder / name)
    return ingested("cifar10", folder, path=folder)


@case("a pipe as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(pipe(folder / "image.png"))


@case("/dev/zero as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(Path("/dev/zero"))


@case("a folder as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(folder)


@case("a pipe as weights", short=True)
def _(folder: Path) -> Opening:
    pipe(folder / "weights.safetensors")
    return weights_in(folder)


@case("/dev/zero as weights")
def _(folder: Path) -> Opening:
    device(folder / "weights.safetensors", "/dev/zero")
    return weights_in(folder)


@case("a folder as weights")
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").mkdir()
    return weights_in(folder)


@case("a pipe as a classifier")
def _(folder: Path) -> Opening:
    return saved_in(pipe(folder / "classifier.skops"))


@case("a pipe as a manifest")
def _(folder: Path) -> Opening:
    pipe(folder / "manifest.json")
    return store_in(folder)


@case("/dev/zero as a manifest")
def _(folder: Path) -> Opening:
    device(folder / "manifest.json", "/dev/zero")
    return store_in(folder)


@case("a pipe as a checkpoint")
def _(folder: Path) -> Opening:
    path = pipe(folder / "checkpoint")

    def read() -> object:
        from ae_pipelines.training.checkpoints import CheckpointFile

        return CheckpointFile(path).load()

    return read


# -- models --------------------------------------------------------------------------------------------------------


def autoencoder(folder: Path, sizes: Mapping[str, Any], pretends: Mapping[str, Any]) -> Opening:
    """A trained autoencoder whose contract pretends to have other options than its weights."""
    from ae_pipelines.models import ModelChoice, weights
    from ae_pipelines.models.contract import Contract, Task
    from ae_pipelines.samples.spec import SampleSpec

    spec = SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={})
    choice = ModelChoice(kind="autoencoder", **sizes)
    module = choice.build(Task.plain(spec))
    contract = Contract(
        part="autoencoder",
        model=choice.described() | dict(pretends),
        task=Task.plain(spec),
        corruptions=[],
        latent_shape=(8,),
        preprocessing_sha256=spec.preprocessing_sha256,
        samples_id="0" * 16,
        recipe="crafted",
        versions={},
    )
    tensors = module.state_dict()
    weights.write(folder, tensors, weights.sealed(contract, tensors))
    return weights_in(folder)


SMALL = {"latent_size": 8, "net": {"kind": "dense", "widths": [16]}}


@case("weights: a contract of 60,000 x 60,000", short=True)
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "dense", "widths": [60_000, 60_000]}})


@case("weights: a contract of 1,000 layers of 5,000")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "dense", "widths": [5_000] * 1000}})


@case("weights: a contract with latents of 10^9 numbers")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"latent_size": 10**9})


@case("weights: a contract with 10^12 channels")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "conv", "channels": [10**12]}})


@case("weights: a contract of a method that is not there")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"kind": "os.system"})


@case("weights: a contract of other sizes")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"latent_size": 9})


@case("weights: a header of 10^18 bytes")
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", 10**18) + b"{}" + bytes(100))
    return weights_in(folder)


@case("weights: a pickle", short=True)
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Payload(folder)))
    return weights_in(folder)


@case("weights: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "weights.safetensors", {"contract": "[" * 100_000})
    return weights_in(folder)


@case("weights: a number of 100,000 digits in the contract")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "weights.safetensors", {"contract": '{"part": ' + "9" * 100_000 + "}"})
    return weights_in(folder)


@case("checkpoint: a pickle with a right sha256")
def _(folder: Path) -> Opening:
    return _checkpoint(folder, pickle.dumps(Payload(folder)))


@case("checkpoint: a header of 10^18 bytes")
def _(folder: Path) -> Opening:
    return _checkpoint(folder, struct.pack("<Q", 10**18) + b"{}")


@case("checkpoint: state nested 100,000 deep")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save

    return _checkpoint(folder, save({"a": torch.zeros(3)}, {"state": "[" * 100_000}))


def _checkpoint(folder: Path, body: bytes) -> Opening:
    import hashlib

    from ae_pipelines.training.checkpoints import CheckpointFile

    path = folder / "checkpoint.safetensors"
    path.write_bytes(body + hashlib.sha256(body).digest())
    return lambda: CheckpointFile(path).load()


def skops(
    folder: Path, schema: Any, members: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_STORED
) -> Opening:
    path = folder / "classifier.skops"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("schema.json", schema if isinstance(schema, str | bytes) else json.dumps(schema))
        for name, content in (members or {}).items():
            file.writestr(name, content)
    return saved_in(path)


def _array_node(name: str) -> dict[str, Any]:
    return {
        **{"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": name},
        **{"protocol": 2, "_skops_version": "0.16.0"},
    }


@case("skops: a type that runs code", short=True)
def _(folder: Path) -> Opening:
    node = {
        **{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": None},
        **{"protocol": 2, "_skops_version": "0.16.0"},
    }
    return skops(folder, node)


@case("skops: a method of a type that runs code")
def _(folder: Path) -> Opening:
    inner = {"__class__": "Path", "__module__": "pathlib", "__loader__": "TypeNode", "__id__": 1}
    node = {
        **{"__class__": "method", "__module__": "builtins", "__loader__": "MethodNode", "protocol": 2},
        **{"content": {"func": "touch", "obj": inner}, "_skops_version": "0.16.0"},
    }
    return skops(folder, node)


@case("skops: an array of 2 GB of zeros in 2 MB", short=True)
def _(folder: Path) -> Opening:
    path = folder / "classifier.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", json.dumps(_array_node("a.npy")))
        with file.open("a.npy", "w", force_zip64=True) as member:
            member.write(npy((2**28,)))
            for _ in range(512):
                member.write(zeros(4 * MB))
    return saved_in(path)


@case("skops: an array of 10^12 numbers declared")
def _(folder: Path) -> Opening:
    return skops(folder, _array_node("a.npy"), {"a.npy": npy((10**12,)) + bytes(80)})


@case("skops: a schema nested 100,000 deep")
def _(folder: Path) -> Opening:
    return skops(folder, "[" * 100_000)


@case("skops: a schema of 500 MB in 500 kB")
def _(folder: Path) -> Opening:
    return skops(folder, b"[" + b"[],[],[],[]," * (40 * MB) + b"0]", method=zipfile.ZIP_DEFLATED)


@case("skops: 300,000 members")
def _(folder: Path) -> Opening:
    return skops(folder, _array_node("0.npy"), {f"{number}.npy": b"" for number in range(300_000)})


@case("skops: pickled objects in an array")
def _(folder: Path) -> Opening:
    content = io.BytesIO()
    np.save(content, np.array([Payload(folder)], object), allow_pickle=True)
    return skops(folder, _array_node("a.npy"), {"a.npy": content.getvalue()})


@case("skops: a dictionary where a classifier belongs")
def _(folder: Path) -> Opening:
    from skops import io as skops_io

    skops_io.dump({"a": 1}, folder / "classifier.skops")
    return saved_in(folder / "classifier.skops")


@case("skops: no archive at all")
def _(folder: Path) -> Opening:
    (folder / "classifier.skops").write_bytes(pickle.dumps(Payload(folder)))
    return saved_in(folder / "classifier.skops")


# -- stores, versions, recipes ----------------------------------------------------------------------


def _store(folder: Path, changed: Callable[[dict[str, Any]], None]) -> Opening:
    """A store whose manifest says something else."""
    _images(folder)
    ingested("image_folder", folder, path=folder / "images")()
    path = folder / "store" / "manifest.json"
    manifest = json.loads(path.read_text())
    changed(manifest)
    path.write_text(json.dumps(manifest))
    return store_in(folder / "store")


@case("store: a manifest of 10^12 rows", short=True)
def _(folder: Path) -> Opening:
    def change(manifest: dict[str, Any]) -> None:
        manifest["read"] = manifest["accepted"] = manifest["shards"][0]["rows"] = 10**12
        manifest["rejected"] = 0

    return _store(folder, change)


@case("store: a manifest of 10^8 rows")
def _(folder: Path) -> Opening:
    def change(manifest: dict[str, Any]) -> None:
        manifest["read"] = manifest["accepted"] = manifest["shards"][0]["rows"] = 10**8
        manifest["rejected"] = 0

    return _store(folder, change)


@case("store: samples of 10^12 values")
def _(folder: Path) -> Opening:
    return _store(folder, lambda manifest: manifest["spec"].update(shape=[1, 10**6, 10**6]))


@case("store: a shard that lies outside")
def _(folder: Path) -> Opening:
    return _store(folder, lambda manifest: manifest["shards"][0].update(file="../../etc/passwd"))


@case("store: a shard that is pickled")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (shard,) = (folder / "store").glob("shard-*.npy")
    np.save(shard, np.array([Payload(folder)] * 20, object), allow_pickle=True)
    return opening


@case("store: an index that is a bomb")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (index,) = (folder / "store").glob("index*.parquet")
    columns = pq.read_table(index)
    bomb = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(columns), np.int32)), pa.array(["a" * 200 * MB]))
    place = columns.schema.names.index("sample_id")
    parquet(columns.set_column(place, "sample_id", bomb), index)
    return opening


@case("store: a manifest nested 100,000 deep")
def _(folder: Path) -> Opening:
    opening = _store(folder, lambda manifest: None)
    (folder / "store" / "manifest.json").write_text('{"id":' * 100_000)
    return opening


@case("version: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "contract.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.model import ScoringModel

        return ScoringModel(folder)

    return read


@case("version: version.json nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "version.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.version import RegisteredModel

        return RegisteredModel(folder)

    return read


@case("ONNX: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    (folder / "contract.json").write_text("[" * 100_000)

    def read() -> object:
        from ae_pipelines.scoring.onnx.saved import OnnxModels

        return OnnxModels.load(folder)

    return read


@case("initial encoder: a pipe", short=True)
def _(folder: Path) -> Opening:
    pipe(folder / "weights.safetensors")

    def read() -> object:
        from ae_pipelines.training.initial_encoder import InitialEncoder

        return InitialEncoder.load(folder, frozen=False)

    return read


def recipe(folder: Path, text: str) -> Opening:
    (parameters := folder / "conf" / "base" / "parameters").mkdir(parents=True)
    (parameters / "crafted.yml").write_text(text)

    def read() -> object:
        from ae_pipelines.recipes.heads import heads

        return heads(folder / "conf", "local")

    return read


@case("recipe: a tag that runs code", short=True)
def _(folder: Path) -> Opening:
    code = f"open({str(folder / CANARY)!r}, 'w').close()"
    return recipe(folder, f"recipes: !!python/object/apply:exec [{json.dumps(code)}]\n")


@case("recipe: a billion aliases", refused=False)
def _(folder: Path) -> Opening:
    lines = ["recipes:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return recipe(folder, "\n".join(lines))


@case("recipe: lists nested 10,000 deep")
def _(folder: Path) -> Opening:
    return recipe(folder, "recipes: " + "[" * 10_000 + "]" * 10_000)
