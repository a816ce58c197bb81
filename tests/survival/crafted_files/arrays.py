"""NumPy's files."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from crafted import CANARY, case

from crafted_files.openings import MB, Opening, Payload, ingested, zeros


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
