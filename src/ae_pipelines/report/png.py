"""PNG files that are written a few lines of pixels at a time, so that they need not fit in memory."""

import struct
import zlib
from typing import BinaryIO

import numpy as np


class PngWriter:
    """A PNG file of 8 bits a channel, grey or colour, written a few lines of pixels at a time (RFC 2083)."""

    def __init__(self, file: BinaryIO, width: int, height: int, channels: int) -> None:
        self._file, self._deflated = file, zlib.compressobj(level=1)
        colour = {1: 0, 3: 2}[channels]
        file.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))

    def add(self, lines: np.ndarray) -> None:
        """Add lines (count, width, channels) of uint8."""
        unfiltered = np.pad(lines.reshape(len(lines), -1), ((0, 0), (1, 0)))  # a line begins with its filter's number
        self._chunk(b"IDAT", self._deflated.compress(unfiltered.tobytes()))

    def close(self) -> None:
        """Write what is left."""
        self._chunk(b"IDAT", self._deflated.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, content: bytes) -> None:
        length, checksum = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(kind + content))
        self._file.write(length + kind + content + checksum)
