"""CIFAR-10 (Krizhevsky 2009) in its binary version: a tar archive, or the six files in it.

Each file is 10,000 records of one label byte and the 3,072 bytes of an image: channels, rows, columns.
"""

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import opened
from ae_pipelines.samples.fetch import Fetch
from ae_pipelines.samples.reading import faults_of
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.samples.spec import SampleSpec

CLASSES = np.array(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
SHAPE = (3, 32, 32)
RECORD = np.dtype([("label", np.uint8), ("image", np.uint8, SHAPE)])
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
ARCHIVE = "cifar-10-binary.tar.gz"
CHUNK_BYTES = 2**20


def parse_records(content: bytes, rows: int, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (rows, 3, 32, 32) and labels (rows,), uint8; `InputError` says what is wrong, naming `path`."""
    whole, rest = divmod(len(content), RECORD.itemsize)
    if whole < rows:
        raise InputError(f"CIFAR-10: {path}: short payload, {whole} of {rows} records")
    if whole > rows or rest:
        raise InputError(f"CIFAR-10: {path} has data after its {rows} records")
    records = np.frombuffer(content, RECORD)
    if (labels := records["label"]).max(initial=0) >= len(CLASSES):
        row = int(labels.argmax())
        raise InputError(f"CIFAR-10: {path}: label {labels[row]} in record {row}, expected 0 to {len(CLASSES) - 1}")
    return records["image"], labels


@SOURCES.register("cifar10")
@dataclass(frozen=True)
class Cifar10:
    """The archive in a folder, or the files in it, there or in `cifar-10-batches-bin/`; train and test."""

    rows_per_file: int = 10_000
    _: KW_ONLY
    path: Path
    """The folder."""
    fetch: Fetch = None
    """The public set from which the archive is fetched if the folder has neither."""

    name = "cifar10"

    def spec(self) -> SampleSpec:
        self._find()
        return SampleSpec(shape=SHAPE, dtype="uint8", preprocessing={})

    def count(self) -> int:
        return len(FILES) * self.rows_per_file

    def blocks(self) -> Iterator[Block]:
        found, size = self._find(), self.rows_per_file * RECORD.itemsize + 1  # one more shows that a file is too long
        with faults_of(f"CIFAR-10: {found}", "put a good copy in its place"), _files(found) as opened:
            for number, file in enumerate(FILES):
                with opened(file) as content:
                    images, labels = parse_records(content.read(size), self.rows_per_file, f"{found / file}")
                split, start = ("test", 0) if file == FILES[-1] else ("train", number * self.rows_per_file)
                yield Block(
                    values=images,
                    ids=[f"{self.name}/{split}/{row:05d}" for row in range(start, start + self.rows_per_file)],
                    labels=CLASSES[labels].tolist(),
                    splits=[split] * self.rows_per_file,
                )

    def _find(self) -> Path:
        """The archive, or the folder of the files."""
        archive = self.path / ARCHIVE
        if archive.is_file():
            return archive
        for folder in (self.path, self.path / "cifar-10-batches-bin"):
            if any((folder / file).is_file() for file in FILES):
                return folder
        if self.fetch:
            return self.fetch.fetch(ARCHIVE, self.path)
        raise InputError(
            f"no {ARCHIVE} (or {FILES[0]} and the others) in {self.path}: put it there, or give another folder",
            options={"raw_dir": f"<the folder that holds {self.path.name}/>"},
        )


@contextmanager
def _files(found: Path) -> Iterator[Callable[[str], Any]]:
    """A function that opens a file, in the folder or in the archive, in any order.

    Going back in the archive unzips it again from its start.
    """
    if found.is_dir():
        yield lambda file: opened(found / file)
        return
    with gzip.open(found) as content, tarfile.open(fileobj=content, mode="r:") as archive:
        members = {Path(member.name).name: member for member in archive if member.isreg()}
        if missing := [file for file in FILES if file not in members]:
            raise InputError(f"CIFAR-10: {found} has no {', '.join(missing)}: not the binary version, or not whole")
        yield lambda file: archive.extractfile(members[file])
        while content.read(CHUNK_BYTES):  # gzip compares its checksum at the end
            pass
