"""Processes large images one tile at a time: tiles overlap and fade into each other, so that no seam shows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from ae_pipelines.base.errors import InputError

BATCH_PIXELS = 2**18
"""Pixels of tiles that are processed together: this bounds the memory, whatever the size of an image."""

Work = Callable[[np.ndarray], np.ndarray]
"""(batch, channels, height, width) → (batch, other channels, k · height, k · width), float32; k a whole number."""
Corner = tuple[int, int, int]
"""Number of the image, first row and first column of the tile."""


@dataclass(frozen=True)
class Tiling:
    """How images are cut."""

    size: tuple[int, int]
    """Height and width of a tile, pixels."""
    overlap: int
    """Pixels that neighbouring tiles share at least; less than the shorter side."""
    exact: bool = True
    """Whether tiles must have exactly that size: smaller images are then padded by mirroring, and cropped again."""


def in_tiles(work: Work, images: np.ndarray, tiling: Tiling) -> np.ndarray:
    """`work` applied to images (n, channels, height, width) of any size, tile by tile: (n, other channels, k · height,
    k · width), float32. `InputError` if k is not a whole number.

    Where tiles overlap, the result is their mean, weighted by how far a pixel is from a tile's edge.
    """
    height, width = images.shape[2:]
    size = tiling.size if tiling.exact else (min(tiling.size[0], height), min(tiling.size[1], width))
    images = _padded_to(images, size)
    blend: _Blend | None = None
    for corners in _batches(images, size, tiling.overlap):
        results = work(np.stack([images[n, :, top : top + size[0], left : left + size[1]] for n, top, left in corners]))
        if blend is None:
            blend = _Blend(images, results, size, tiling.overlap)
        blend.add(corners, results)
    if blend is None:
        raise ValueError("no images to work on")
    return blend.mean()[:, :, : blend.factor * height, : blend.factor * width]


class _Blend:
    """Weighted sums of the resulting tiles, and sums of the weights."""

    def __init__(self, images: np.ndarray, results: np.ndarray, size: tuple[int, int], overlap: int) -> None:
        self.factor = results.shape[2] // size[0]
        if results.shape[2:] != (self.factor * size[0], self.factor * size[1]):
            raise InputError(
                f"tiles of {size[0]} x {size[1]} pixels became {results.shape[2]} x {results.shape[3]}, but an image "
                "can only be put together from tiles that are a whole number of times larger"
            )
        height, width = (self.factor * side for side in images.shape[2:])
        self._weight = np.outer(*(_window(self.factor * side, self.factor * overlap) for side in size))
        self._sums = np.zeros((len(images), results.shape[1], height, width), np.float32)
        self._weights = np.zeros((len(images), 1, height, width), np.float32)

    def add(self, corners: list[Corner], results: np.ndarray) -> None:
        for (n, *corner), tile in zip(corners, results, strict=True):
            top, left = (self.factor * at for at in corner)
            rows, columns = slice(top, top + tile.shape[1]), slice(left, left + tile.shape[2])
            self._sums[n, :, rows, columns] += tile * self._weight
            self._weights[n, :, rows, columns] += self._weight

    def mean(self) -> np.ndarray:
        return self._sums / self._weights


def _padded_to(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The images, padded by mirroring on the right and below where they are smaller than this."""
    down, across = (max(0, need - there) for need, there in zip(size, images.shape[2:], strict=True))
    return np.pad(images, ((0, 0), (0, 0), (0, down), (0, across)), mode="symmetric") if down or across else images


def _batches(images: np.ndarray, size: tuple[int, int], overlap: int) -> Iterator[list[Corner]]:
    rows, columns = (_starts(length, side, overlap) for length, side in zip(images.shape[2:], size, strict=True))
    corners = product(range(len(images)), rows, columns)
    most = max(1, BATCH_PIXELS // (size[0] * size[1]))
    while some := list(islice(corners, most)):
        yield some


def _starts(length: int, size: int, overlap: int) -> list[int]:
    """Starts of tiles of this size that cover the length; the last tile ends where it ends."""
    return [*range(0, length - size, max(1, size - overlap)), length - size]


def _window(size: int, overlap: int) -> np.ndarray:
    """Weights of a tile's pixels along one side: a rise over the overlap, ones, a fall; none is zero."""
    from_edge = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.sin(np.clip(from_edge / max(1, overlap), 0, 1) * np.pi / 2).astype(np.float32) ** 2
