"""Masks of what is wrong with images: decoded in the geometry of the images, and put together for each sample."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import InputError, Unusable, first_of
from ae_pipelines.samples.image_files import format_of
from ae_pipelines.samples.image_options import ImageOptions, Size
from ae_pipelines.samples.images import padded_place, pixels_on_black
from ae_pipelines.samples.source import MaskedSource

log = logging.getLogger(__name__)

LOSSY = {"JPEG", "WEBP"}
"""Formats that make black noisy near edges, so that only what is lighter than half counts."""
FIRST = 3
"""How many masks are listed."""


@dataclass(frozen=True)
class MaskDecoder:
    """Decodes a mask to bools (height, width): whether something is wrong there; `Unusable` says why it cannot.

    What is not black (0) in any channel is wrong. A pixel of a smaller mask is wrong if any of those that it stands for
    is, so thin lines stay; what images are padded with is not.
    """

    options: ImageOptions
    size: Size

    def __call__(self, content: bytes) -> np.ndarray:
        values = pixels_on_black(content, self.options)
        darkest = np.iinfo(np.uint8).max // 2 if format_of(content[:12]) in LOSSY else 0
        wrong: np.ndarray = values.max(axis=2) > darkest
        if wrong.shape == self.size:
            return wrong
        if self.options.resize == "crop":
            return _reduced(_middle(wrong, self.size), self.size)
        if self.options.resize == "pad":
            return _padded(wrong, self.size)
        if self.options.resize == "stretch":
            return _reduced(wrong, self.size)
        raise Unusable("another size than {} x {}".format(*self.size))


def read_masks(source: MaskedSource) -> Iterator[tuple[str, np.ndarray]]:
    """Id of each sample with masks, and bools (height, width): what is wrong by any of them. Logs their numbers."""
    paths: dict[str, list[Path]] = {}
    strays = list[str]()
    for sample, path in source.masks():
        if sample is None:
            strays.append("/".join(path.parts[-3:]))
        else:
            paths.setdefault(sample, []).append(path)
    empty = list[str]()
    for sample, found in paths.items():
        mask = np.logical_or.reduce([_decoded(source, path) for path in found])
        if not mask.any():
            empty.append(sample)
        yield sample, mask
    if paths or strays:
        _tell(sum(map(len, paths.values())), len(paths), strays, empty)


def _decoded(source: MaskedSource, path: Path) -> np.ndarray:
    try:
        return source.decode_mask(path.read_bytes())
    except Unusable as fault:
        raise InputError(f"the mask {path} cannot be used ({fault}): mend it, or move it away") from fault


def _tell(masks: int, images: int, strays: list[str], empty: list[str]) -> None:
    without = f" ({first_of(strays, FIRST)})" if strays else ""
    nothing = f" ({first_of(empty, FIRST)})" if empty else ""
    log.log(
        logging.WARNING if strays or empty else logging.INFO,
        "%d masks for %d images, %d without an image%s, %d images with nothing masked%s",
        *(masks, images, len(strays), without, len(empty), nothing),
    )


def _middle(wrong: np.ndarray, size: Size) -> np.ndarray:
    """The largest part in the middle that has the proportions of `size`."""
    height, width = wrong.shape
    rows = _centred(height, min(height, width * size[0] / size[1]))
    columns = _centred(width, min(width, height * size[1] / size[0]))
    return wrong[rows, columns]


def _centred(length: int, part: float) -> slice:
    start = round((length - part) / 2)
    return slice(start, start + max(1, round(part)))


def _padded(wrong: np.ndarray, size: Size) -> np.ndarray:
    (height, width), (top, left) = padded_place((len(wrong), wrong.shape[1]), size)
    canvas = np.zeros(size, bool)
    canvas[top : top + height, left : left + width] = _reduced(wrong, (height, width))
    return canvas


def _reduced(wrong: np.ndarray, size: Size) -> np.ndarray:
    """Resized: where pixels are joined, any of them; where they are spread, the nearest."""
    return _along_rows(_along_rows(wrong, size[0]).T, size[1]).T


def _along_rows(wrong: np.ndarray, count: int) -> np.ndarray:
    """With `count` rows; each row belongs to the one that its middle lies in."""
    rows = len(wrong)
    if rows < count:
        return wrong[(2 * np.arange(count) + 1) * rows // (2 * count)]
    new = (2 * np.arange(rows) + 1) * count // (2 * rows)
    joined: np.ndarray = np.logical_or.reduceat(wrong, np.searchsorted(new, np.arange(count)), axis=0)
    return joined
