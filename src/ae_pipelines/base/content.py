"""A hash of what was learned, whatever file it is stored in (files of equal models differ by times and addresses), and
one of plain data."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def content_sha256(value: Any, without: tuple[type, ...] = ()) -> str:
    """sha256 of arrays, numbers, text and attributes of objects; parts of the types in `without` are left out."""
    digest = hashlib.sha256()
    for piece in _pieces(value, without):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any, without: tuple[type, ...]) -> Iterator[bytes]:
    if isinstance(value, without):
        return
    if isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode()
        yield value.tobytes() if value.dtype != object else repr(value.tolist()).encode()
    elif isinstance(value, dict):
        yield from _named_pieces(sorted(value.items(), key=lambda item: str(item[0])), without)
    elif isinstance(value, list | tuple):
        yield from _named_pieces(enumerate(value), without)
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        yield from _named_pieces(((field.name, getattr(value, field.name)) for field in fields(value)), without)
    elif hasattr(value, "__dict__") and not callable(value):
        yield type(value).__name__.encode()
        yield from _named_pieces(sorted(vars(value).items()), without)
    else:
        yield re.sub(r" at 0x[0-9a-f]+", "", f"{value!r},").encode()


def _named_pieces(items: Any, without: tuple[type, ...]) -> Iterator[bytes]:
    yield b"("
    for name, part in items:
        yield f"{name}:".encode()
        yield from _pieces(part, without)
    yield b")"


def canonical_sha256(content: Any) -> str:
    """sha256 of `content` as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
