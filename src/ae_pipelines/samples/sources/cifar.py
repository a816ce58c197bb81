"""CIFAR-10 (Krizhevsky 2009) in its binary version: a tar archive, or the six files in it.

Each file is 10,000 records of one label byte and the 3,072 bytes of an image: channels, rows, columns.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.fetch import Fetch
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import SOURCES, GivenPath
from ae_pipelines.samples.spec import SampleSpec

CLASSES = np.array(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
ARCHIVE = "cifar-10-binary.tar.gz"
CHUNK_BYTES = 2**20


def parse_records(content: bytes, rows: int, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (rows, 3, 32, 32) and labels (rows,), uint8; `InputError` says what is wrong, naming `path`."""
    whole, rest = divmod(len(content), RECORD_BYTES)
    if whole < rows:
        raise InputError(f"CIFAR-10: {path}: short payload, {whole} of {rows} records")
    if whole > rows or rest:
        raise InputError(f"CIFAR-10: {path} goes on after its {rows} records")
    records = np.frombuffer(content, np.uint8).reshape(rows, RECORD_BYTES)
    images, labels = records[:, 1:].reshape(rows, *SHAPE), records[:, 0]
    if labels.max(initial=0) >= len(CLASSES):
        row = int(labels.argmax())
        raise InputError(f"CIFAR-10: {path}: label {labels[row]} in record {row}, expected 0 to {len(CLASSES) - 1}")
    return images, labels


@SOURCES.register("cifar10")
@dataclass(frozen=True)
class Cifar10:
    """The archive in a folder, or the files in it, there or in `cifar-10-batches-bin/`; train and test."""

    rows_per_file: int = 10_000
    _: KW_ONLY
    path: GivenPath
    """The folder."""
    fetch: Fetch = None
    """The public set that the archive is fetched from if the folder has neither."""

    name = "cifar10"

    def spec(self) -> SampleSpec:
        self._found()
        return SampleSpec(shape=SHAPE, dtype="uint8", preprocessing={})

    def count(self) -> int:
        return len(FILES) * self.rows_per_file

    def blocks(self) -> Iterator[Block]:
        found, size = self._found(), self.rows_per_file * RECORD_BYTES + 1  # one byte more shows that a file goes on
        contents = _contents_of_archive(found, size) if found.is_file() else _contents_of_folder(found, size)
        for number, (file, content) in enumerate(zip(FILES, contents, strict=True)):
            images, labels = parse_records(content, self.rows_per_file, f"{found / file}")
            split, start = ("test", 0) if file == FILES[-1] else ("train", number * self.rows_per_file)
            yield Block(
                values=images,
                ids=[f"{self.name}/{split}/{row:05d}" for row in range(start, start + self.rows_per_file)],
                labels=CLASSES[labels].tolist(),
                splits=[split] * self.rows_per_file,
            )

    def _found(self) -> Path:
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
            f"no {ARCHIVE} (or {FILES[0]} and the others) in {self.path}: put it there, or give "
            f"--params=raw_dir=<the folder that holds {self.path.name}/>"
        )


def _contents_of_folder(folder: Path, size: int) -> Iterator[bytes]:
    """At most `size` bytes of each file."""
    for file in FILES:
        try:
            with (folder / file).open("rb") as opened:
                yield opened.read(size)
        except OSError as error:
            raise InputError(f"CIFAR-10: cannot read {folder / file}: {error}") from error


def _contents_of_archive(path: Path, size: int) -> Iterator[bytes]:
    """At most `size` bytes of each file, in the order of `FILES`, whatever their order in the archive.

    Only one is in memory at a time; to go back in the archive is to unzip it again from its start.
    """
    try:
        with gzip.open(path) as content, tarfile.open(fileobj=content, mode="r:") as archive:
            members = {Path(member.name).name: member for member in archive if member.isreg()}
            missing = [file for file in FILES if file not in members]
            if missing:
                raise InputError(f"CIFAR-10: {path} has no {', '.join(missing)}: not the binary version, or not whole")
            for file in FILES:
                with archive.extractfile(members[file]) as opened:  # type: ignore[union-attr]
                    yield opened.read(size)
            while content.read(CHUNK_BYTES):  # gzip compares its checksum at the end
                pass
    except InputError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError, OverflowError) as error:
        raise InputError(f"CIFAR-10: {path} is damaged ({error}): delete it and fetch it again") from error
    except OSError as error:
        raise InputError(f"CIFAR-10: cannot read {path}: {error}") from error
