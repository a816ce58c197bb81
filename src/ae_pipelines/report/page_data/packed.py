"""Columns as one block of bytes that a page carries as text, and how numbers become few bytes."""

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NO_PLACE = 65_535
"""Both coordinates of a sample that has no place on a map."""
LEVEL = 6
"""Of gzip."""
BASE64 = 4 / 3
"""Characters for a byte."""


@dataclass
class Block:
    """Columns of the page, each at a multiple of four bytes, so that a browser reads them where they are."""

    index: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name: type, offset in bytes, and length in values."""
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, name: str, values: np.ndarray) -> str:
        """Append a column (its values in C order); gives its name."""
        content = np.ascontiguousarray(values).tobytes()
        self.index[name] = {"type": values.dtype.name, "offset": self._size, "length": int(values.size)}
        content += b"\0" * (-len(content) % 4)
        self._parts.append(content)
        self._size += len(content)
        return name

    def text(self) -> str:
        """All columns, as base64 of gzip; the same columns always give the same text."""
        return base64.b64encode(gzip.compress(b"".join(self._parts), LEVEL, mtime=0)).decode()


def text_columns(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts as UTF-8 one after the other, uint8, and the number of bytes of each, uint32: whatever is in them. What
    UTF-8 cannot hold becomes a question mark."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.array([len(one) for one in encoded], np.uint32)


def places(points: np.ndarray) -> np.ndarray:
    """Points of the plane (n, 2), NaN where there is none, as uint16 from 0 to 65,534: all in one square, so that
    distances keep their proportions; `NO_PLACE` twice where there is none."""
    known = np.isfinite(points).all(axis=1)
    packed = np.full(points.shape, NO_PLACE, np.uint16)
    if known.any():
        low, high = points[known].min(axis=0), points[known].max(axis=0)
        side = float((high - low).max()) or 1.0
        shares = (points[known] - (low + high) / 2) / side + 0.5
        packed[known] = np.rint(shares.clip(0, 1) * (NO_PLACE - 1))
    return packed


def halves(numbers: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers in half precision, uint16, as shares of the largest, and the largest: three digits of each are right,
    however large some are."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    scale = float(finite.max(initial=0.0)) or 1.0
    return (numbers / scale).astype(np.float16).view(np.uint16), scale


def latent_bytes(vectors: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Vectors (n, d) as uint8 (d, n), and what one step is in each dimension: differences of bytes times steps are
    differences of latents."""
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    step = np.where(high > low, (high - low) / 255, 1.0).astype(np.float64)
    return np.rint((vectors - low) / step).astype(np.uint8).T, step.tolist()
