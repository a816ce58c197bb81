"""The `.npy` files of a sample store: plain reads of any rows, and writing as a stream."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import SampleSpec

SHARD_BYTES = 64 * 2**20
"""Most bytes of values in a shard; a killed ingest loses at most this much work."""
PIECE_BYTES = 2**20
_FOUND_WHOLE = set[tuple[object, ...]]()
"""Shards that were found whole in this process, by what is seen of them without reading them."""


class ShardFile:
    """One shard, read with plain reads (no memory mapping); it is open only during a read.

    Where its sha256 is given, it is compared before rows are read for the first time in this process: `InputError` if
    they are not what was written.
    """

    def __init__(self, path: Path, spec: SampleSpec, sha256: str | None = None) -> None:
        self.path, self._spec, self._expected = path, spec, sha256

    def read_whole(self, values: np.ndarray) -> None:
        """Fill `values` (n, *shape), contiguous, with all rows."""
        self._fill(values, 0)
        digest = new_digest(self._spec)
        digest.update(values.data)
        self._compare(digest.hexdigest())

    def read_into(self, values: np.ndarray, row: int) -> None:
        """Fill `values` (n, *shape), contiguous, with the rows from `row` on; `InputError` if they are not there."""
        if self._expected is not None and self._looks() not in _FOUND_WHOLE:
            self.refuse_damaged()
        self._fill(values, row)

    def refuse_damaged(self) -> None:
        """`InputError` if the file does not hold what was written."""
        self._compare(self.sha256())

    def _compare(self, sha256: str) -> None:
        if sha256 != self._expected:
            raise InputError(f"{self.path} is damaged (its sha256 differs): ingest again", stages=("ingest",))
        _FOUND_WHOLE.add(self._looks())

    def _looks(self) -> tuple[object, ...]:
        """What is seen of the file without reading it."""
        with self._opened() as file:
            stat = os.fstat(file.fileno())
        return self.path, self._expected, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

    def _fill(self, values: np.ndarray, row: int) -> None:
        with self._opened() as file:
            found = _fill(file, memoryview(values.data).cast("B"), self._start + row * self._spec.sample_bytes)
        if found != values.nbytes:
            raise InputError(f"{self.path} is short: ingest again")

    def rows(self, start: int, count: int) -> np.ndarray:
        """`count` rows from `start` on, (count, *shape)."""
        values = np.empty((count, *self._spec.shape), self._spec.dtype)
        self.read_into(values, start)
        return values

    def sha256(self) -> str:
        """sha256 of all values in the file, as the writer computes it."""
        digest = new_digest(self._spec)
        with self._opened() as file:
            file.seek(self._start)
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    @cached_property
    def _start(self) -> int:
        """Offset of the values, in bytes."""
        with self._opened() as file:
            shape, fortran, dtype = _header(file)
            if (shape[1:], fortran, dtype) != (self._spec.shape, False, np.dtype(self._spec.dtype)):
                raise ValueError(f"holds {dtype} samples of shape {shape[1:]}, not {self._spec.shape}")
            return file.tell()

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb", buffering=0) as file:
                yield file
        except InputError:
            raise
        except Exception as error:  # a damaged header can make numpy's parser raise anything
            raise InputError(f"{self.path} is damaged or gone ({error}): ingest again") from error


class ShardWriter:
    """Writes samples into shards of at most `SHARD_BYTES`, each named by the sha256 of its content.

    With `key`, the digests of each shard's samples are kept beside it in `known-<key>-<sha256>.npy`, so
    that a later ingest need not decode them again.
    """

    def __init__(self, folder: Path, spec: SampleSpec, key: str | None) -> None:
        self._folder, self._spec, self._key = folder, spec, key
        self._most = max(1, SHARD_BYTES // spec.sample_bytes)
        self._open = ExitStack()
        self._rows = 0
        self._digests = bytearray()
        self.written: list[dict[str, object]] = []
        """file, rows and sha256 of each finished shard."""

    def add(self, values: np.ndarray, sha256: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Append samples (n, *shape); gives the number of each one's shard and its row there, int32."""
        shards, rows = np.empty(len(values), np.int32), np.empty(len(values), np.int32)
        done = 0
        while done < len(values):
            if self._rows == 0:
                self._begin()
            part = slice(done, done + self._most - self._rows)
            piece = np.ascontiguousarray(values[part])
            shards[part] = len(self.written)
            rows[part] = np.arange(self._rows, self._rows + len(piece))
            self._file.write(piece.data)
            self._sha256.update(piece.data)
            self._digests += bytes.fromhex("".join(sha256[part])) if self._key else b""
            self._rows += len(piece)
            done += len(piece)
            if self._rows == self._most:
                self._end()
        return shards, rows

    def finish(self) -> None:
        """Close the last shard."""
        if self._rows:
            self._end()

    def abandon(self) -> None:
        """Discard the unfinished shard; finished ones stay."""
        self._open.close()

    def _begin(self) -> None:
        self._temporary = self._open.enter_context(atomic.temporary_beside(self._folder / "shard.npy"))
        self._file: BinaryIO = self._open.enter_context(self._temporary.open("wb"))
        self._sha256 = new_digest(self._spec)
        self._write_header(self._most)

    def _end(self) -> None:
        self._file.seek(0)
        self._write_header(self._rows)  # numpy pads headers to leave room for the number of rows
        self._file.flush()
        sha256 = self._sha256.hexdigest()
        if self._key:
            digests = np.frombuffer(self._digests, np.uint8).reshape(-1, 32)
            with seals.replacing(self._folder / known_name(self._key, sha256)) as temporary:
                np.save(temporary, digests)
        atomic.publish(self._temporary, self._folder / shard_name(sha256))
        self.written.append({"file": shard_name(sha256), "rows": self._rows, "sha256": sha256})
        self._open.close()
        self._rows, self._digests = 0, bytearray()

    def _write_header(self, rows: int) -> None:
        header = {"descr": np.dtype(self._spec.dtype).str, "fortran_order": False, "shape": (rows, *self._spec.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def new_digest(spec: SampleSpec) -> "hashlib._Hash":
    """A sha256 to which values are added; equal bytes of another shape or dtype give another digest."""
    return hashlib.sha256(f"{spec.dtype} {spec.shape}".encode())


def shard_name(sha256: str) -> str:
    return f"shard-{sha256[:16]}.npy"


def known_name(key: str, sha256: str) -> str:
    return f"known-{key}-{sha256[:16]}.npy"


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not one of our shards")
    return np.lib.format.read_array_header_1_0(file)


def _fill(file: BinaryIO, view: memoryview, offset: int) -> int:
    """Read until `view` is full or the file ends; gives the number of bytes."""
    filled = 0
    while filled < len(view) and (found := os.preadv(file.fileno(), [view[filled:]], offset + filled)):
        filled += found
    return filled
