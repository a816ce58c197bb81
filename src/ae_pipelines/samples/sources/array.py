"""An array of any size in a `.npy` file or in a member of an `.npz`."""

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import compress, repeat
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from ae_pipelines.base.errors import InputError, NothingThere, suggestion
from ae_pipelines.base.words import expanded
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.npy import Npy, members
from ae_pipelines.samples.ranges import Range, ranged
from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.spec import RANGE, SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.standardise import TOO_LARGE, Standardisation, fit

log = logging.getLogger(__name__)

BLOCK_BYTES = 4 * 2**20
BLOCK_ROWS = 16_384
Layout = Literal["NF", "NHW", "NHWC", "NCHW"]
ARRANGED: dict[Layout, Callable[[np.ndarray], np.ndarray]] = {
    "NF": lambda rows: rows,
    "NHW": lambda rows: rows[:, None],
    "NHWC": lambda rows: rows.transpose(0, 3, 1, 2),
    "NCHW": lambda rows: rows,
}
"""Functions from a file's axes to (n, features) or (n, channels, height, width)."""
IMAGES: dict[np.dtype, Literal["uint8", "uint16"]] = {np.dtype(np.uint8): "uint8", np.dtype(np.uint16): "uint16"}


def _require_layout(given: Any) -> Any:
    if given is None:
        raise ValueError(
            "not given; say what the axes are (N samples, F features, H height, W width, C channels): "
            "layout=NF, or NHW, NHWC, NCHW"
        )
    return given


@SOURCES.register("array")
@dataclass(frozen=True)
class ArrayFile:
    """The samples of an array; those with NaN or Inf are rejected."""

    given: Standardisation | None = None
    """The scale of other samples; None: the array's own is computed, if `standardise`."""
    of_others: bool = False
    """Whether the range is that of other samples."""
    _: KW_ONLY
    path: Path
    """`.npy` or `.npz`."""
    layout: Annotated[Layout, BeforeValidator(_require_layout)]
    """The file's axes in order: N samples, F features, H height, W width, C channels."""
    key: str | None = None
    """Member of an `.npz`; None: the only one besides the labels."""
    labels: str | None = None
    """Numbers or text, one per sample, NaN or "" for none: a member of the `.npz`, or a `.npy` path relative to the
    array's folder."""
    unlabelled: Unlabelled = None
    standardise: bool = True
    """Scale each feature, or channel of images, to mean 0 and variance 1 over the train rows; uint8 and uint16 are kept
    as they are."""
    range: Range | None = None
    """Values of uint8 and uint16 that a model gets as 0 and 1. full: 0 to 255, or to 65535; data: from the 0.1 % to the
    99.9 % quantile of the train split's values; [low, high]; None: data for uint16, full for uint8."""

    @property
    def name(self) -> str:
        return printable_stem(self.path)

    @property
    def also_reads(self) -> list[Path]:
        """Files that are named in fields of other types than Path: labels beside an `.npy`."""
        in_file = self.labels is None or self.path.suffix.lower() == ".npz"
        return [] if in_file else [self.path.parent / expanded(str(self.labels))]

    def like(self, spec: SampleSpec) -> "ArrayFile":
        """This array, on the scale of samples like `spec`, if it is to be standardised, or of images."""
        given = Standardisation.recorded(spec.preprocessing)
        return replace(
            self, given=given, of_others=True, range=spec.preprocessing.get(RANGE, "full") if spec.bounded else None
        )

    def spec(self) -> SampleSpec:
        if self._images:
            return ranged(SampleSpec(shape=self._shape, dtype=self._images), self.range, of_others=self.of_others)
        if self.range is not None:
            log.warning("%s holds %s: range is for uint8 and uint16", self._values, self._values.header.dtype)
        preprocessing = self._standardisation.record() if self.standardise else {}
        return SampleSpec(shape=self._shape, dtype="float32", preprocessing=preprocessing)

    def count(self) -> int:
        """Number of samples, rejects included."""
        return self._values.header.shape[0]

    def blocks(self) -> Iterator[Block]:
        first, width = 0, len(str(self.count()))
        for (rows, sha256, finite), labels in zip(self._parts(), self._label_parts(), strict=False):
            values = rows.astype(self._images) if self._images else self._standardisation.apply(rows)
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
    def _images(self) -> Literal["uint8", "uint16"] | None:
        """The type of images that are kept as they are; None for floats, which are not."""
        return IMAGES.get(self._values.header.dtype.newbyteorder("="))

    @property
    def _arrange(self) -> Callable[[np.ndarray], np.ndarray]:
        return ARRANGED[self.layout]

    @property
    def _shape(self) -> tuple[int, ...]:
        """Shape of one sample: (features,) or (channels, height, width)."""
        return self._arrange(np.empty((0, *self._values.header.shape[1:]))).shape[1:]

    @cached_property
    def _files(self) -> tuple[Npy, Npy | None]:
        """The values and the labels, checked to fit each other."""
        values, labels = self._find_files()
        _refuse_other_values(values, self.layout)
        if labels:
            _refuse_other_labels(labels, values)
        return values, labels

    def _find_files(self) -> tuple[Npy, Npy | None]:
        path, kind = self.path, self.path.suffix.lower()
        if kind == ".npz":
            known = members(path)
            labels = _known_member(path, self.labels, known) if self.labels is not None else None
            key = self.key if self.key is not None else _only_member(path, [key for key in known if key != labels])
            return Npy(path, _known_member(path, key, known)), None if labels is None else Npy(path, labels)
        if kind != ".npy":
            raise InputError(f"{path} is neither .npy nor .npz: save it with numpy.save or numpy.savez")
        if self.key is not None:
            raise InputError(f"key={self.key} is a member of an .npz, but {path} is one array: leave it out")
        return Npy(path), next((Npy(_there(labels, path)) for labels in self.also_reads), None)

    @property
    def _values(self) -> Npy:
        return self._files[0]

    @property
    def _block_rows(self) -> int:
        largest = max(file.header.row_bytes for file in self._files if file)
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES // largest))

    @cached_property
    def _standardisation(self) -> Standardisation:
        if not self.standardise:
            return Standardisation.none(self._shape[0])
        if self.given is not None and len(self.given.mean) == self._shape[0]:
            return self.given
        noun = "feature" if self.layout == "NF" else "channel"
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
            yield self._arrange(rows), sha256, np.isfinite(flat).all(axis=1)

    def _label_parts(self) -> Iterator[list[Any] | None]:
        _, labels = self._files
        return (_as_held(labels, part) for part in labels.rows(self._block_rows)) if labels else repeat(None)


def _there(labels: Path, array: Path) -> Path:
    """The file of labels, whose path starts at the array's folder."""
    if not labels.is_file():
        raise InputError(
            f"labels: no file {labels}: give an .npy file by its path from the folder of {array.name}",
            options={"source.labels": "..."},
        )
    return labels


def _known_member(path: Path, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise InputError(f"{path} has no array {name!r}; {suggestion(name, sorted(known))}")
    return name


def _only_member(path: Path, candidates: list[str]) -> str:
    if len(candidates) != 1:
        names = ", ".join(sorted(candidates)) or "none"
        raise InputError(f"{path} must have one array besides the labels, but has {names}: give source.key=<name>")
    return candidates[0]


def _refuse_other_values(values: Npy, layout: Layout) -> None:
    shape, dtype, _ = values.header
    if len(shape) != len(layout):
        fitting = " or ".join(known for known in ARRANGED if len(known) == len(shape)) or "an array of two to four axes"
        raise InputError(
            f"{values} has the shape {shape}, but layout={layout} means {len(layout)} axes: give {fitting}"
        )
    image = dtype == np.uint8 or (dtype.newbyteorder("=") in IMAGES and layout != "NF")
    if not image and not (dtype.kind == "f" and dtype.itemsize <= 8):
        raise InputError(
            f"{values} holds {dtype}, expected float16, 32 or 64, or uint8 or uint16 for images of 0 to 255 or 65535: "
            "save values.astype(numpy.float32)"
        )


def _refuse_other_labels(labels: Npy, values: Npy) -> None:
    try:
        shape, dtype, _ = labels.header
    except NothingThere as error:
        raise InputError(f"{values} has samples, but its labels {labels} are empty: give one per sample") from error
    if len(shape) != 1 or shape[0] != values.header.shape[0]:
        raise InputError(f"{values} has {values.header.shape[0]} samples, but its labels {labels} the shape {shape}")
    if dtype.kind not in "iuUfbS":
        raise InputError(f"the labels {labels} are {dtype}, expected numbers or text: save labels.astype(str)")


def _as_held(labels: Npy, part: np.ndarray) -> list[Any]:
    if part.dtype.kind == "f" and part.dtype.itemsize != 8:
        return list(part)  # as numbers of Python they would have more digits: 0.1 would be 0.10000000149011612
    try:
        if part.dtype.kind == "U" and part.view(f"{part.dtype.byteorder}u4").max() > sys.maxunicode:
            raise ValueError("no character has such a number")  # Python would make a broken string of it
        found: list[Any] = part.tolist()
        if part.dtype.kind == "U":
            "".join(found).encode()
        return found
    except ValueError as error:
        raise InputError(f"the labels {labels} are not valid text ({error}): save them again") from error
