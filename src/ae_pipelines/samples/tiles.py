"""Large images, a tile at a time: tiles overlap and fade into each other, so that no seam shows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from ae_pipelines.base.errors import InputError

BATCH_PIXELS = 2**18
"""Of tiles that are worked on together: this bounds the memory, whatever the size of an image."""

Work = Callable[[np.ndarray], np.ndarray]
"""(batch, channels, height, width) → (batch, other channels, k · height, k · width), float32; k a whole number."""
Corner = tuple[int, int, int]
"""Number of the image, first row, first column."""


@dataclass(frozen=True)
class Tiling:
    """How images are cut."""

    size: tuple[int, int]
    """Height and width of a tile, pixels."""
    overlap: int
    """Pixels that neighbours share at least; less than the shorter side."""
    exact: bool = True
    """Whether tiles must have that size: smaller images are then continued by their mirror image, and cut again."""


def in_tiles(work: Work, images: np.ndarray, tiling: Tiling) -> np.ndarray:
    """`work` done to images (n, channels, height, width) of any size, tile by tile: (n, other channels, k · height,
    k · width), float32. `InputError` if k is no whole number.

    Where tiles overlap, the result is their mean, weighted by how far a pixel is from a tile's edge.
    """
    height, width = images.shape[2:]
    size = tiling.size if tiling.exact else (min(tiling.size[0], height), min(tiling.size[1], width))
    images = _at_least(images, size)
    blend: _Blend | None = None
    for corners in _batches(images, size, tiling.overlap):
        made = work(np.stack([images[n, :, top : top + size[0], left : left + size[1]] for n, top, left in corners]))
        if blend is None:
            blend = _Blend(images, made, size, tiling.overlap)
        blend.add(corners, made)
    if blend is None:
        raise ValueError("no images to work on")
    return blend.mean()[:, :, : blend.times * height, : blend.times * width]


class _Blend:
    """Sums of what tiles became, and of their weights."""

    def __init__(self, images: np.ndarray, made: np.ndarray, size: tuple[int, int], overlap: int) -> None:
        self.times = made.shape[2] // size[0]
        if made.shape[2:] != (self.times * size[0], self.times * size[1]):
            raise InputError(
                f"tiles of {size[0]} x {size[1]} pixels became {made.shape[2]} x {made.shape[3]}, but an image can "
                "only be put together from tiles that are a whole number of times larger"
            )
        height, width = (self.times * side for side in images.shape[2:])
        self._weight = np.outer(*(_window(self.times * side, self.times * overlap) for side in size))
        self._sums = np.zeros((len(images), made.shape[1], height, width), np.float32)
        self._weights = np.zeros((len(images), 1, height, width), np.float32)

    def add(self, corners: list[Corner], made: np.ndarray) -> None:
        for (n, *corner), tile in zip(corners, made, strict=True):
            top, left = (self.times * at for at in corner)
            rows, columns = slice(top, top + tile.shape[1]), slice(left, left + tile.shape[2])
            self._sums[n, :, rows, columns] += tile * self._weight
            self._weights[n, :, rows, columns] += self._weight

    def mean(self) -> np.ndarray:
        return self._sums / self._weights


def _at_least(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The images, continued by their mirror image on the right and below where they are smaller."""
    down, across = (max(0, need - there) for need, there in zip(size, images.shape[2:], strict=True))
    return np.pad(images, ((0, 0), (0, 0), (0, down), (0, across)), mode="symmetric") if down or across else images


def _batches(images: np.ndarray, size: tuple[int, int], overlap: int) -> Iterator[list[Corner]]:
    rows, columns = (_starts(length, side, overlap) for length, side in zip(images.shape[2:], size, strict=True))
    corners = product(range(len(images)), rows, columns)
    most = max(1, BATCH_PIXELS // (size[0] * size[1]))
    while some := list(islice(corners, most)):
        yield some


def _starts(length: int, size: int, overlap: int) -> list[int]:
    """Where tiles of this size begin, so that they cover the length; the last ends with it."""
    return [*range(0, length - size, max(1, size - overlap)), length - size]


def _window(size: int, overlap: int) -> np.ndarray:
    """Weights of a tile's pixels along one side: a rise over the overlap, ones, a fall; none is zero."""
    from_edge = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.sin(np.clip(from_edge / max(1, overlap), 0, 1) * np.pi / 2).astype(np.float32) ** 2
