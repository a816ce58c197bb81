"""The work of a decoding process. It imports next to nothing, since each worker holds its imports in memory."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import InputError, Unusable


@dataclass(frozen=True)
class Common:
    """What every worker is given once."""

    decode: Callable[[bytes], np.ndarray]
    known: np.ndarray
    """`start_of` each digest of content decoded earlier, sorted."""


@dataclass(frozen=True)
class Outcome:
    """The result of decoding one content; with neither values nor a reason, it is known already."""

    digest: bytes
    """sha256 of the content."""
    values: np.ndarray | None = None
    reason: str | None = None


def decode_all(common: Common, contents: Sequence[Path] | Sequence[bytes]) -> list[Outcome]:
    """The outcome of each content; `InputError` if a file cannot be read."""
    return [_decode(common, bytes_of(content)) for content in contents]


def bytes_of(content: Path | bytes) -> bytes:
    """The content itself; of a path, that of the file."""
    if isinstance(content, bytes):
        return content
    try:
        return content.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {content}: {error}; make it readable, or move it away") from error


def start_of(digest: bytes) -> np.uint64:
    """The first 8 bytes of a digest as a number."""
    return np.uint64(int.from_bytes(digest[:8]))


def _decode(common: Common, content: bytes) -> Outcome:
    digest = hashlib.sha256(content).digest()
    place = int(np.searchsorted(common.known, start_of(digest)))
    if place < len(common.known) and common.known[place] == start_of(digest):
        return Outcome(digest)
    try:
        return Outcome(digest, common.decode(content))
    except Unusable as fault:
        return Outcome(digest, reason=str(fault))
