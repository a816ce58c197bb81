"""An array of any size in a `.npy` file or in a member of an `.npz`: read as a stream, never unpickled."""

import hashlib
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from itertools import compress, repeat
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from pydantic import field_validator

from ae_pipelines.contract import SampleSpec
from ae_pipelines.errors import InputError, NothingThere, suggestion
from ae_pipelines.io.sources import SourceDataset, printable_stem
from ae_pipelines.options import Options
from ae_pipelines.samples import Block, Reject, split_by_content
from ae_pipelines.standardise import TOO_LARGE, Standardisation, fit

BLOCK_BYTES = 4 * 2**20
BLOCK_ROWS = 16_384
LARGEST_SAMPLE = 64 * 2**20
"""Bytes of one row of a file."""
LONGEST_HEADER = 16 * 2**10
"""Bytes; numpy itself refuses to parse more than 10,000."""
FAULTS = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What reading a file that is damaged, locked or encrypted raises."""

Layout = Literal["NF", "NHW", "NHWC", "NCHW"]
ARRANGED: dict[Layout, Callable[[np.ndarray], np.ndarray]] = {
    "NF": lambda rows: rows,
    "NHW": lambda rows: rows[:, None],
    "NHWC": lambda rows: rows.transpose(0, 3, 1, 2),
    "NCHW": lambda rows: rows,
}
"""From a file's axes to (n, features) or (n, channels, height, width)."""


class ArrayOptions(Options):
    """Which array, and what its axes are."""

    path: Path
    """`.npy` or `.npz`."""
    layout: Layout
    """The file's axes in order: N samples, F features, H height, W width, C channels."""
    key: str | None = None
    """Member of an `.npz`; None: the only one beside the labels."""
    labels: str | None = None
    """Integers or text, one a sample: a member of the `.npz`, or the path of a `.npy`, seen from the array's folder."""
    standardise: bool = True
    """Each feature, or each channel of images, to mean 0 and variance 1 over the train rows. uint8 is kept as it is."""

    @field_validator("layout", mode="before")
    @classmethod
    def _declared(cls, given: Any) -> Any:
        if given is None:
            raise ValueError(
                "not given; say what the axes are (N samples, F features, H height, W width, C channels): "
                "--params=source.layout=NF, or NHW, NHWC, NCHW"
            )
        return given


class Header(NamedTuple):
    """What a `.npy` file says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    """Where the values start, in bytes."""

    @property
    def row_bytes(self) -> int:
        return prod(self.shape[1:]) * self.dtype.itemsize


class Npy:
    """One `.npy` file, or such a member of an `.npz`, as a stream of rows; any fault of it is an `InputError`."""

    def __init__(self, path: Path, member: str | None = None) -> None:
        self._path, self._member = path, member

    def __str__(self) -> str:
        return f"{self._path}[{self._member}]" if self._member else str(self._path)

    @cached_property
    def header(self) -> Header:
        """Checked: there are rows, and the file is as long as it must be for them."""
        with self._opened() as (file, size):
            header = self._parsed(file.read(LONGEST_HEADER))
            self._refuse_size(header, size - header.start)
            return header

    def rows(self, most: int) -> Iterator[np.ndarray]:
        """All rows in order, at most `most` at a time, (n, *shape of a row)."""
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
        """The file and its number of bytes, which in an `.npz` is what the archive declares and at most gives."""
        _refuse_missing(self._path)
        with _faults_of(str(self)):
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
        except Exception as error:  # the parser lets through whatever a hostile header makes Python raise
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
                f"{self}: a sample has {header.row_bytes:,} bytes, more than the {LARGEST_SAMPLE:,} that are allowed"
            )
        declared = header.shape[0] * header.row_bytes
        if held < declared:
            raise InputError(f"{self}: short payload, {max(0, held) // header.row_bytes} of {header.shape[0]} samples")
        if held > declared:
            raise InputError(f"{self} goes on after its {header.shape[0]} declared samples")

    def _refuse_short(self, held: int, needed: int) -> None:
        if held < needed * self.header.row_bytes:
            whole = held // self.header.row_bytes
            raise InputError(f"{self}: short payload, {whole} of {self.header.shape[0]} samples")


class ArrayFile:
    """The samples of an array; those with NaN or Inf are rejected."""

    def __init__(self, options: ArrayOptions, standardisation: Standardisation | None = None) -> None:
        """Without a `standardisation` the array's own is found, if it is to have one."""
        self._options, self._given = options, standardisation
        self.name = printable_stem(options.path)

    def like(self, spec: SampleSpec) -> "ArrayFile":
        """This array, on the scale of samples like `spec`, if it is to be standardised."""
        return ArrayFile(self._options, Standardisation.recorded(spec.preprocessing))

    def spec(self) -> SampleSpec:
        if self._is_uint8:
            return SampleSpec(shape=self._shape, dtype="uint8")
        preprocessing = self._standardisation.record() if self._options.standardise else {}
        return SampleSpec(shape=self._shape, dtype="float32", preprocessing=preprocessing)

    def count(self) -> int:
        """How many samples there are, rejects included."""
        return self._values.header.shape[0]

    def blocks(self) -> Iterator[Block]:
        first, width = 0, len(str(self.count()))
        for (rows, sha256, finite), labels in zip(self._parts(), self._label_parts(), strict=False):
            values = rows if self._is_uint8 else self._standardisation.apply(rows)
            sound = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            ids = [f"{self.name}/{row:0{width}d}" for row in range(first, first + len(rows))]
            yield Block(
                values=values[sound],
                ids=list(compress(ids, sound)),
                labels=labels and list(compress(labels, sound)),
                sha256=list(compress(sha256, sound)),
                rejects=[
                    Reject(ids[row], sha256[row], TOO_LARGE if finite[row] else "NaN or Inf")
                    for row in np.flatnonzero(~sound).tolist()
                ],
            )
            first += len(rows)

    @property
    def _is_uint8(self) -> bool:
        return self._values.header.dtype == np.uint8

    @property
    def _arranged(self) -> Callable[[np.ndarray], np.ndarray]:
        return ARRANGED[self._options.layout]

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of one sample: (features,) or (channels, height, width)."""
        return self._arranged(np.empty((0, *self._values.header.shape[1:]))).shape[1:]

    @cached_property
    def _files(self) -> tuple[Npy, Npy | None]:
        """The values and the labels, which fit each other."""
        values, labels = _found(self._options)
        _refuse_other_values(values, self._options.layout)
        if labels:
            _refuse_other_labels(labels, values)
        return values, labels

    @property
    def _values(self) -> Npy:
        return self._files[0]

    @property
    def _block_rows(self) -> int:
        largest = max(file.header.row_bytes for file in self._files if file)
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES // largest))

    @cached_property
    def _standardisation(self) -> Standardisation:
        if not self._options.standardise:
            return Standardisation.none(self._shape[0])
        if self._given is not None and len(self._given.mean) == self._shape[0]:
            return self._given
        noun = "feature" if self._options.layout == "NF" else "channel"
        finite_rows = (
            (rows[finite], [split_by_content(sha) for sha in compress(sha256, finite)])
            for rows, sha256, finite in self._parts()
        )
        return fit(finite_rows, [f"{noun} {number}" for number in range(self._shape[0])])

    def _parts(self) -> Iterator[tuple[np.ndarray, list[str], np.ndarray]]:
        """Arranged rows, the sha256 of each as the file holds it, and whether all its values are finite."""
        for rows in self._values.rows(self._block_rows):
            flat = rows.reshape(len(rows), -1)
            sha256 = [hashlib.sha256(row.data).hexdigest() for row in flat.view(np.uint8)]
            yield self._arranged(rows), sha256, np.isfinite(flat).all(axis=1)

    def _label_parts(self) -> Iterator[list[str] | None]:
        _, labels = self._files
        return (_texts(labels, part) for part in labels.rows(self._block_rows)) if labels else repeat(None)


def _found(options: ArrayOptions) -> tuple[Npy, Npy | None]:
    path, kind = options.path, options.path.suffix.lower()
    if kind == ".npz":
        known = _members(path)
        labels = _known_member(path, options.labels, known) if options.labels is not None else None
        key = options.key if options.key is not None else _only_member(path, [key for key in known if key != labels])
        return Npy(path, _known_member(path, key, known)), None if labels is None else Npy(path, labels)
    if kind != ".npy":
        raise InputError(f"{path} is neither .npy nor .npz: save it with numpy.save or numpy.savez")
    if options.key is not None:
        raise InputError(f"key={options.key} is a member of an .npz, but {path} is one array: leave it out")
    return Npy(path), None if options.labels is None else Npy(path.parent / options.labels)


def _members(path: Path) -> list[str]:
    _refuse_missing(path)
    with _faults_of(str(path)), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _known_member(path: Path, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise InputError(f"{path} has no array {name!r}; {suggestion(name, sorted(known))}")
    return name


def _only_member(path: Path, candidates: list[str]) -> str:
    if len(candidates) != 1:
        names = ", ".join(sorted(candidates)) or "none"
        raise InputError(f"{path} must have one array beside the labels, it has {names}: give source.key=<name>")
    return candidates[0]


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no file {path}: give --params=source.path=<an .npy or .npz file>")


def _refuse_other_values(values: Npy, layout: Layout) -> None:
    shape, dtype, _ = values.header
    if len(shape) != len(layout):
        raise InputError(f"{values} has the shape {shape}, but layout={layout} means {len(layout)} axes")
    if dtype != np.uint8 and not (dtype.kind == "f" and dtype.itemsize <= 8):
        raise InputError(
            f"{values} holds {dtype}, expected float16, 32 or 64, or uint8 for images of 0 to 255: "
            "save values.astype(numpy.float32)"
        )


def _refuse_other_labels(labels: Npy, values: Npy) -> None:
    try:
        shape, dtype, _ = labels.header
    except NothingThere as error:
        raise InputError(f"{values} has samples, but its labels {labels} are none: give one a sample") from error
    if len(shape) != 1 or shape[0] != values.header.shape[0]:
        raise InputError(f"{values} has {values.header.shape[0]} samples, but its labels {labels} the shape {shape}")
    if dtype.kind not in "iuU":
        raise InputError(f"the labels {labels} are {dtype}, expected integers or text: save labels.astype(str)")


def _texts(labels: Npy, part: np.ndarray) -> list[str]:
    try:
        if part.dtype.kind == "U" and part.view(f"{part.dtype.byteorder}u4").max() > sys.maxunicode:
            raise ValueError("no character has such a number")  # Python would make a broken string of it
        texts = [str(label) for label in part.tolist()]
        "".join(texts).encode()
    except ValueError as error:
        raise InputError(f"the labels {labels} are no valid text ({error}): save them again") from error
    return texts


@contextmanager
def _faults_of(name: str) -> Iterator[None]:
    """What fails in the block is told as a fault of the file."""
    try:
        yield
    except InputError:
        raise
    except FAULTS as error:
        raise InputError(f"{name} cannot be read ({error}): save or fetch it again") from error


class ArrayDataset(SourceDataset):
    """The catalog entry of `ArrayFile`; its fields are those of `ArrayOptions`."""

    def __init__(self, *, metadata: dict[str, Any] | None = None, **fields: Any) -> None:
        self._options = ArrayOptions.model_validate(fields)
        self.metadata = metadata

    def load(self) -> ArrayFile:
        return ArrayFile(self._options)

    def _describe(self) -> dict[str, Any]:
        return self._options.model_dump()
