"""`.npy` files and members of `.npz` archives: read as a stream, never unpickled."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ae_pipelines.base.errors import InputError, NothingThere
from ae_pipelines.samples.reading import faults_of

LARGEST_SAMPLE = 64 * 2**20
"""Most bytes in one row of a file."""
LONGEST_HEADER = 16 * 2**10
"""Bytes read as a header; numpy itself refuses to parse more than 10,000."""


class Header(NamedTuple):
    """What the header of a `.npy` file declares."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    """Offset of the values, in bytes."""

    @property
    def row_bytes(self) -> int:
        return prod(self.shape[1:]) * self.dtype.itemsize


class Npy:
    """One `.npy` file, or one member of an `.npz`, as a stream of rows; any fault in it raises `InputError`."""

    def __init__(self, path: Path, member: str | None = None) -> None:
        self._path, self._member = path, member

    def __str__(self) -> str:
        return f"{self._path}[{self._member}]" if self._member else str(self._path)

    @cached_property
    def header(self) -> Header:
        """The header, checked: there are rows, and the file has the length that they need."""
        with self._opened() as (file, size):
            header = self._parsed(file.read(LONGEST_HEADER))
            self._refuse_size(header, size - header.start)
            return header

    def rows(self, most: int) -> Iterator[np.ndarray]:
        """All rows in order, at most `most` at a time, each block (n, *shape of a row)."""
        (count, *shape), dtype, start = self.header
        with self._opened() as (file, _):
            file.read(start)
            for first in range(0, count, most):
                number = min(most, count - first)
                content = file.read(number * self.header.row_bytes)
                self._refuse_short(first * self.header.row_bytes + len(content), first + number)
                yield np.frombuffer(content, dtype).reshape(number, *shape)

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], int]]:
        """The file and its size in bytes; in an `.npz`, what the archive declares and never exceeds."""
        _refuse_missing(self._path)
        with faults_of(self, "save or fetch it again"):
            if self._member is None:
                with self._path.open("rb") as file:
                    yield file, self._path.stat().st_size
            else:
                with zipfile.ZipFile(self._path) as archive, archive.open(f"{self._member}.npy") as member:
                    yield member, archive.getinfo(f"{self._member}.npy").file_size

    def _parsed(self, content: bytes) -> Header:
        file = BytesIO(content)
        try:
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"version {version}")
            # 3.0 is 2.0 with field names in UTF-8, and there are no fields in what is read here
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except Exception as error:  # a hostile header can make the parser raise anything
            raise InputError(
                f"{self} has no valid .npy header ({str(error)[:200]}): save it with numpy.save"
            ) from error
        if dtype.hasobject:
            raise InputError(f"{self} holds pickled Python objects, which are never loaded: save numbers, or text")
        if fortran:
            raise InputError(f"{self} is in Fortran order: save numpy.ascontiguousarray(values)")
        return Header(shape, dtype, file.tell())

    def _refuse_size(self, header: Header, held: int) -> None:
        if header.shape and header.shape[0] == 0:
            raise NothingThere(f"{self} holds no samples: its shape is {header.shape}")
        if not header.shape or min(header.shape) < 1 or not header.dtype.itemsize:
            raise InputError(f"{self} holds no samples: its shape is {header.shape}")
        if header.row_bytes > LARGEST_SAMPLE:
            raise InputError(
                f"{self}: a sample has {header.row_bytes:,} bytes, more than the {LARGEST_SAMPLE:,} allowed"
            )
        declared = header.shape[0] * header.row_bytes
        if held < declared:
            raise InputError(f"{self}: short payload, {max(0, held) // header.row_bytes} of {header.shape[0]} samples")
        if held > declared:
            raise InputError(f"{self} has data after its {header.shape[0]} declared samples")

    def _refuse_short(self, held: int, needed: int) -> None:
        if held < needed * self.header.row_bytes:
            whole = held // self.header.row_bytes
            raise InputError(f"{self}: short payload, {whole} of {self.header.shape[0]} samples")


def members(path: Path) -> list[str]:
    """Names of the arrays in an `.npz`."""
    _refuse_missing(path)
    with faults_of(path, "save or fetch it again"), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no file {path}: give an .npy or .npz file", options={"source.path": "..."})
