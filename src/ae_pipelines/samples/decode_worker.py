"""What a decoding process does. It imports next to nothing, since each worker holds what it imports."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import InputError, Unusable


@dataclass(frozen=True)
class Common:
    """What every worker has."""

    decode: Callable[[bytes], np.ndarray]
    known: np.ndarray
    """`start_of` the digests of content that is known already, sorted."""


@dataclass(frozen=True)
class Outcome:
    """What became of one content; neither values nor reason: it is known."""

    digest: bytes
    """sha256 of the content."""
    values: np.ndarray | None = None
    reason: str | None = None


def decode_all(common: Common, contents: Sequence[Path] | Sequence[bytes]) -> list[Outcome]:
    """What becomes of each; `InputError` if a file cannot be read."""
    return [_decode(common, bytes_of(content)) for content in contents]


def bytes_of(content: Path | bytes) -> bytes:
    """The content itself, of a file too."""
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
