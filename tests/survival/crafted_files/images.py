"""IDX, CIFAR-10's archives, and images."""

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crafted import case

from crafted_files.openings import MB, Opening, ingested, png, zeros
from crafted_files.text import images_in


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
    images_in(folder, 3)
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
    images_in(folder, 3)
    with (folder / "images" / "large.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(2 * 2**30)
    return ingested("image_folder", folder, path=folder / "images", size=[8, 8], resize="crop")
