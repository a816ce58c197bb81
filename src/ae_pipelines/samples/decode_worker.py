"""The work of a decoding process. It imports next to nothing, since each worker holds its imports in memory."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.samples.key_filter import KeyFilter


@dataclass(frozen=True)
class Common:
    """What every worker is given once."""

    decode: Callable[[bytes], np.ndarray]
    known: KeyFilter
    """Holds the first 8 bytes of each digest of content that was decoded earlier."""


@dataclass(frozen=True)
class Outcome:
    """The result of decoding one content; with neither values nor a reason, it is probably known already."""

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


def decoded(decode: Callable[[bytes], np.ndarray], content: bytes, digest: bytes) -> Outcome:
    """The outcome of decoding one content."""
    try:
        return Outcome(digest, decode(content))
    except Unusable as fault:
        return Outcome(digest, reason=str(fault))


def _decode(common: Common, content: bytes) -> Outcome:
    digest = hashlib.sha256(content).digest()
    if common.known.may_hold_one(int.from_bytes(digest[:8])):
        return Outcome(digest)
    return decoded(common.decode, content, digest)
