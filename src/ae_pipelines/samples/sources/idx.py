"""Images and labels in IDX files, MNIST's format (LeCun et al. 1998), plain or gzipped.

The header is four bytes (0, 0, type, dimensions), then each dimension as a big-endian uint32.
"""

import gzip
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.fetch import Fetch
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.npy import LARGEST_SAMPLE
from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.samples.spec import SampleSpec

UNSIGNED_BYTE = 0x08
LARGEST = 2**40
"""Most bytes that a header may declare."""
BLOCK_BYTES = 2**22
SPLITS = {"train": "train", "t10k": "test"}
"""The split that files with a prefix hold."""


class IdxFile:
    """An IDX file of unsigned bytes, read as a stream; gzipped if its first bytes say so."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape that the header declares."""
        with self._open() as file:
            return self._header(file)

    def blocks(self) -> Iterator[np.ndarray]:
        """All items in order, (n, *shape[1:]) each; `InputError` where the file is not what its header declares."""
        with self._open() as file:
            count, *item = self._header(file)
            size = prod(item)
            for start in range(0, count, rows := max(1, BLOCK_BYTES // size)):
                wanted = min(rows, count - start)
                content = file.read(wanted * size)
                if len(content) < wanted * size:
                    whole = start + len(content) // size
                    raise InputError(f"IDX: {self.path}: short payload, {whole} of {count} {self._noun}")
                yield np.frombuffer(content, np.uint8).reshape(wanted, *item)
            if file.read(1):
                raise InputError(f"IDX: {self.path} has data after its {count} declared {self._noun}")

    def read(self) -> np.ndarray:
        """Everything at once; for small files, such as labels."""
        return np.concatenate([np.empty((0, *self.shape[1:]), np.uint8), *self.blocks()])

    def check(self) -> None:
        """`InputError` if anything is wrong with the file."""
        for _ in self.blocks():
            pass

    @property
    def _noun(self) -> str:
        return "images" if len(self.shape) > 1 else "labels"

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if not self.path.is_file():
            raise InputError(f"IDX: no file {self.path}")
        with faults_of(f"IDX: {self.path}", "fetch it again"), self.path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield gzip.GzipFile(fileobj=raw) if zipped else raw  # type: ignore[misc]

    def _header(self, file: BinaryIO) -> tuple[int, ...]:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE or not 1 <= magic[3] <= 4:
            raise InputError(
                f"IDX: {self.path} starts with {magic.hex() or 'nothing'}, expected 0000 08 and 1 to 4 dimensions: "
                "not an IDX file of unsigned bytes"
            )
        header = file.read(4 * magic[3])
        if len(header) < 4 * magic[3]:
            raise InputError(f"IDX: {self.path} ends within its header")
        shape = struct.unpack(f">{magic[3]}I", header)
        if not all(shape):
            raise InputError(f"IDX: {self.path} declares the shape {shape}, which holds nothing")
        if prod(shape) > LARGEST:
            raise InputError(f"IDX: {self.path} declares {prod(shape):,} bytes, more than the {LARGEST:,} allowed")
        if prod(shape[1:]) > LARGEST_SAMPLE:
            raise InputError(
                f"IDX: {self.path} declares samples of {prod(shape[1:]):,} bytes, more than the {LARGEST_SAMPLE:,} "
                "allowed"
            )
        return shape


@SOURCES.register("idx")
@dataclass(frozen=True, kw_only=True)
class IdxFolder:
    """The four files of an MNIST-style set: images and labels, train and t10k; `.gz` or plain.

    Without t10k files each sample's split follows from its content.
    """

    path: Path
    """The folder."""
    name: str
    """Start of all ids."""
    fetch: Fetch = None
    """The public set from which files that the folder lacks are fetched."""
    unlabelled: Unlabelled = None

    def spec(self) -> SampleSpec:
        """The spec, after reading all files from end to end, so that nothing starts if one of them is broken."""
        shapes = {prefix: images.shape for prefix, (images, _) in self._files.items()}
        if len(shapes["train"]) != 3:
            raise InputError(f"IDX: {self.path}: train images of shape {shapes['train']}, expected (n, height, width)")
        for prefix, (images, labels) in self._files.items():
            if labels.shape != images.shape[:1]:
                raise InputError(
                    f"IDX: {self.path} has {images.shape[0]} {prefix} images but labels of shape {labels.shape}: "
                    "give one label per image"
                )
            images.check()
            labels.check()
        return SampleSpec(shape=(1, *shapes["train"][1:]), dtype="uint8", preprocessing={})

    def count(self) -> int:
        return sum(images.shape[0] for images, _ in self._files.values())

    def blocks(self) -> Iterator[Block]:
        for prefix, (images, labels) in self._files.items():
            names, split, start = labels.read(), SPLITS[prefix], 0
            for part in images.blocks():
                rows = range(start, start + len(part))
                yield Block(
                    values=part[:, None],
                    ids=[f"{self.name}/{split}/{row:05d}" for row in rows],
                    labels=names[rows.start : rows.stop].tolist(),
                    splits=[split] * len(part) if len(self._files) > 1 else None,
                )
                start += len(part)

    @cached_property
    def _files(self) -> dict[str, tuple[IdxFile, IdxFile]]:
        """Images and labels, by prefix."""
        prefixes = [prefix for prefix in SPLITS if prefix == "train" or self.fetch or self._has(prefix)]
        return {
            prefix: (
                IdxFile(self._path(f"{prefix}-images-idx3-ubyte")),
                IdxFile(self._path(f"{prefix}-labels-idx1-ubyte")),
            )
            for prefix in prefixes
        }

    def _has(self, prefix: str) -> bool:
        return any(self.path.glob(f"{prefix}-*-ubyte*"))

    def _path(self, file: str) -> Path:
        for path in (self.path / f"{file}.gz", self.path / file):
            if path.is_file():
                return path
        if self.fetch:
            return self.fetch.fetch(f"{file}.gz", self.path)
        raise InputError(
            f"no {file}.gz (or {file}) in {self.path}: put the IDX files of {self.name} there, or give another folder",
            options={"raw_dir": f"<the folder that holds {self.path.name}/>"},
        )
