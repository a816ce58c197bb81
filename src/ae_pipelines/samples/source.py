"""What a source of samples is, and what it gives: samples, or content that is yet to be decoded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ae_pipelines.samples.spec import SampleSpec


@dataclass(frozen=True)
class Reject:
    """One thing in a source that could not be used."""

    id: str
    """A path below the source's folder, or a row of a file."""
    sha256: str
    """sha256 of its content as the source holds it."""
    reason: str
    """Why it could not be used; worded the same for faults of one kind, so that they can be counted."""


@dataclass(frozen=True)
class Copy:
    """One thing in a source that was left out, since its content was taken before."""

    id: str
    sha256: str
    label: Any
    """Its label, as the source holds it."""
    split: str | None = None
    """None: it follows from content."""


@dataclass(frozen=True)
class Block:
    """Some samples of a source.

    `values` has shape (n, *shape). `labels` and `splits` may be None: unlabelled, or a source without a
    split of its own (then each sample's split follows from its content). Labels are as the source holds them: text,
    numbers, None, NaN; ingest names the classes.
    """

    values: np.ndarray
    ids: list[str]
    labels: Sequence[Any] | None = None
    splits: Sequence[str] | None = None
    sha256: Sequence[str] | None = None
    """sha256 of each sample as the source holds it, before any processing; None: that of `values`."""
    rejects: Sequence[Reject] = ()
    copies: Sequence[Copy] = ()
    """Those of the rejects whose content was taken before, with their labels and splits."""


@dataclass(frozen=True)
class EncodedBlock:
    """Some samples of a source that its `decode` is yet to decode: files, or their content."""

    contents: Sequence[Path] | Sequence[bytes]
    ids: list[str]
    labels: Sequence[Any] | None = None
    splits: Sequence[str] | None = None
    rejects: Sequence[Reject] = ()


class Source(Protocol):
    """Where samples come from."""

    @property
    def name(self) -> str: ...

    def spec(self) -> SampleSpec:
        """What every sample looks like."""
        ...

    def count(self) -> int | None:
        """Number of samples that `blocks` will give, rejects included; None if not known yet."""
        ...

    def blocks(self) -> Iterator[Block]:
        """The samples, a block at a time; always in the same order."""
        ...


@runtime_checkable
class EncodedSource(Protocol):
    """A source whose samples are decoded by several processes, and not again when their content is known.

    Equal content is kept once: the first is accepted, the others are rejected as duplicates.
    """

    @property
    def name(self) -> str: ...

    @property
    def decode(self) -> Callable[[bytes], np.ndarray]:
        """From content to one sample (*shape); raises `Unusable` with the reason. Picklable, cheap to import."""
        ...

    def spec(self) -> SampleSpec:
        """What every sample looks like, with everything that `decode` does to it in `preprocessing`."""
        ...

    def decoding(self) -> dict[str, Any]:
        """Everything beyond `spec` that determines what `decode` gives and what it refuses."""
        ...

    def count(self) -> int | None:
        """Number of samples that `blocks` will give, rejects included; None if not known yet."""
        ...

    def blocks(self) -> Iterator[EncodedBlock]:
        """The samples, a block at a time; always in the same order."""
        ...


@runtime_checkable
class MaskedSource(EncodedSource, Protocol):
    """A source of encoded images that knows where in some of them something is wrong."""

    @property
    def decode_mask(self) -> Callable[[bytes], np.ndarray]:
        """From the content of a mask to bools (height, width): whether something is wrong there; raises `Unusable`."""
        ...

    def masks(self) -> Iterator[tuple[str | None, Path]]:
        """Id of a sample, None if it is not there, and a mask of it; a sample may have several."""
        ...


@runtime_checkable
class ScaledSource(Protocol):
    """A source that computes the scale of its samples itself, unless one is given."""

    def like(self, spec: SampleSpec) -> Any:
        """The same source, on the scale of samples like `spec`, so that a model of those can take its samples."""
        ...
