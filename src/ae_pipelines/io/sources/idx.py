"""Images and labels in IDX files, MNIST's format (LeCun et al. 1998), plain or gzipped.

The header is four bytes (0, 0, type, dimensions), then each dimension as a big-endian uint32.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ae_pipelines.contract import SampleSpec
from ae_pipelines.errors import InputError
from ae_pipelines.io.sources import SourceDataset
from ae_pipelines.samples import Block

UNSIGNED_BYTE = 0x08
LARGEST = 8 * 2**30
"""Bytes: a header that declares more is refused rather than allocated."""
ROWS_PER_BLOCK = 16_384


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file, gzipped if its first bytes say so; `InputError` says what is wrong with it."""
    if not path.is_file():
        raise InputError(f"IDX: no file {path}")
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _parse(gzip.GzipFile(fileobj=raw) if zipped else raw, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"IDX: {path} is a damaged gzip file ({error}): fetch it again") from error
    except OSError as error:
        raise InputError(f"IDX: cannot read {path}: {error}") from error


def _parse(file: "BinaryIO | gzip.GzipFile", path: Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE or not 1 <= magic[3] <= 4:
        raise InputError(
            f"IDX: {path} starts with {magic.hex() or 'nothing'}, expected 0000 08 and 1 to 4 dimensions: "
            "not an IDX file of unsigned bytes"
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise InputError(f"IDX: {path} ends within its header")
    shape = struct.unpack(f">{magic[3]}I", header)
    declared = prod(shape)
    if declared > LARGEST:
        raise InputError(f"IDX: {path} declares {declared:,} bytes, more than the {LARGEST:,} that are allowed")
    content = file.read(declared + 1)
    if len(content) > declared:
        raise InputError(f"IDX: {path} goes on after its {shape[0]} declared items")
    if len(content) < declared:
        whole = len(content) // max(1, prod(shape[1:]))
        raise InputError(f"IDX: {path}: short payload, {whole} of {shape[0]} images")
    return np.frombuffer(content, np.uint8).reshape(shape)


class IdxFolder:
    """The four files of an MNIST-style set: images and labels, train and t10k; `.gz` or plain."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._images: dict[str, np.ndarray] = {}

    def spec(self) -> SampleSpec:
        shape = self._read("train", "images-idx3").shape
        if len(shape) != 3:
            raise InputError(f"IDX: {self.folder}: train images of shape {shape}, expected (n, height, width)")
        return SampleSpec(shape=(1, *shape[1:]), dtype="uint8", preprocessing={})

    def blocks(self) -> Iterator[Block]:
        pairs = [(split, *self._pair(prefix)) for split, prefix in (("train", "train"), ("test", "t10k"))]
        for split, images, labels in pairs:  # all four files are whole before the first block is given
            for start in range(0, len(images), ROWS_PER_BLOCK):
                part = images[start : start + ROWS_PER_BLOCK]
                rows = range(start, start + len(part))
                yield Block(
                    values=part[:, None],
                    ids=[f"{self.name}/{split}/{row:05d}" for row in rows],
                    labels=[str(labels[row]) for row in rows],
                    splits=[split] * len(part),
                )

    def _pair(self, prefix: str) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self._read(prefix, "images-idx3"), self._read(prefix, "labels-idx1")
        if labels.ndim != 1 or len(labels) != len(images):
            raise InputError(
                f"IDX: {self.folder} has {len(images)} {prefix} images but labels of shape {labels.shape}: "
                "give one label an image"
            )
        return images, labels

    def _read(self, prefix: str, what: str) -> np.ndarray:
        key = f"{prefix}-{what}-ubyte"
        if key not in self._images:
            found = [path for path in (self.folder / f"{key}.gz", self.folder / key) if path.is_file()]
            if not found:
                raise InputError(
                    f"no {key}.gz (or {key}) in {self.folder}: put the four IDX files of {self.name} there, or give "
                    f"--params=raw_dir=<the folder that holds {self.folder.name}/>"
                )
            self._images[key] = read_idx(found[0])
        return self._images[key]


class IdxFolderDataset(SourceDataset):
    """The catalog entry of `IdxFolder`."""

    def __init__(self, *, path: str, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._name = Path(path), name
        self.metadata = metadata

    def load(self) -> IdxFolder:
        return IdxFolder(self._path, self._name)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, "name": self._name}
