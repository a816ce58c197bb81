"""Images of all samples of a page, small and many in one picture: as good as fits into a number of bytes."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_pipelines.base.progress import Steps
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 1008
"""Pixels of a sheet's side, about: a multiple of 28 and of many other sizes."""
SIZES = (128, 96, 64, 48, 32, 28, 24, 20, 16)
"""Pixels of an image's longer side, from the best on."""
LOSSLESS = 101
"""A quality beyond those of WebP, at which nothing is lost."""
QUALITIES = (80, 50, 20, 5)
"""Of WebP; coarser ones before smaller images, as long as these are small anyway."""
SMALL = 32
"""Up to so many pixels images are rather made coarser than smaller; above, rather smaller than coarser."""
TRIED = 400
"""Images by which the size of all is estimated."""
FLOAT_RANGE = (0.01, 0.99)
"""Quantiles of images of floats that become black and white."""


@dataclass(frozen=True)
class Step:
    """How small and how coarse images are made."""

    width: int
    height: int
    quality: int

    @property
    def across(self) -> int:
        """Images in a row of a sheet."""
        return max(1, SIDE // self.width)

    @property
    def on_a_sheet(self) -> int:
        return self.across * max(1, SIDE // self.height)


@dataclass(frozen=True)
class Thumbnails:
    """Sheets of images, and how to find one in them."""

    step: Step
    sheets: list[bytes]
    """WebP, row by row, in the order of the samples."""

    @property
    def size(self) -> int:
        """Bytes of all sheets."""
        return sum(map(len, self.sheets))

    def about(self) -> dict[str, Any]:
        """What the page has to know of them."""
        step = self.step
        return {
            "type": "image/webp", "width": step.width, "height": step.height,
            "across": step.across, "on_a_sheet": step.on_a_sheet,
        }  # fmt: skip


def are_images(spec: SampleSpec) -> bool:
    """Whether samples can be seen as they are: (channels, height, width)."""
    return len(spec.shape) == 3


def steps(spec: SampleSpec) -> list[Step]:
    """From the images themselves to the smallest and coarsest."""
    _, height, width = spec.shape
    longer = max(width, height)
    sizes = [longer, *(size for size in SIZES if size < longer)] if longer <= SIZES[0] else [*SIZES]
    found = [(longer, LOSSLESS)] if longer <= SMALL else []
    for size in sizes:
        small = size <= SMALL
        found += [(size, quality) for quality in (QUALITIES if small else QUALITIES[:2])]
    return [_step(size / longer, width, height, quality) for size, quality in found]


def _step(scale: float, width: int, height: int, quality: int) -> Step:
    return Step(max(1, round(width * scale)), max(1, round(height * scale)), quality)


class Thumbnailer:
    """Makes the thumbnails of some rows of a sample store, which is read in pieces."""

    def __init__(self, samples: Samples, rows: np.ndarray) -> None:
        self._samples, self._rows = samples, rows
        self._as_bytes = _as_bytes(samples, rows)

    def estimate(self, step: Step) -> float:
        """Bytes of all sheets, about."""
        chosen = self._tried
        return len(_encoded(self._sheet(chosen, step), step)) * len(self._rows) / len(chosen)

    @property
    def _tried(self) -> np.ndarray:
        count = len(self._rows)
        return self._rows if count <= TRIED else self._rows[np.linspace(0, count - 1, TRIED).astype(np.int64)]

    def make(self, step: Step) -> Thumbnails:
        """All sheets."""
        sheets = []
        with Steps(len(self._rows), "thumbnails", "sample") as done:
            for start in range(0, len(self._rows), step.on_a_sheet):
                part = self._rows[start : start + step.on_a_sheet]
                sheets.append(_encoded(self._sheet(part, step), step))
                done.advance(len(part))
        return Thumbnails(step, sheets)

    def _sheet(self, rows: np.ndarray, step: Step) -> "Image":
        from PIL import Image

        channels = 3 if self._samples.spec.shape[0] == 3 else 1
        lines = -(-len(rows) // step.across)
        sheet = np.zeros((lines, step.height, step.across, step.width, channels), np.uint8)
        for place, picture in enumerate(self._pictures(rows, step)):
            sheet[place // step.across, :, place % step.across] = picture
        flat = sheet.reshape(lines * step.height, step.across * step.width, channels)
        return Image.fromarray(flat if channels == 3 else flat[:, :, 0])

    def _pictures(self, rows: np.ndarray, step: Step) -> Iterator[np.ndarray]:
        """(height, width, channels), uint8, of the step's size."""
        at_once = max(1, 2**25 // self._samples.spec.sample_bytes)
        for start in range(0, len(rows), at_once):
            values = self._as_bytes(self._samples.take(rows[start : start + at_once]))
            yield from (_resized(value, step) for value in values)


def _as_bytes(samples: Samples, rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Makes uint8 (n, height, width, 1 or 3) of stored images: one that has neither one nor three channels is shown by
    its first."""
    spec = samples.spec
    channels = slice(None) if spec.shape[0] in (1, 3) else slice(1)
    low, high = (0.0, 1.0) if spec.bounded else _float_range(samples, rows)

    def as_bytes(values: np.ndarray) -> np.ndarray:
        shown = values[:, channels]
        if spec.bounded:
            shown = spec.as_picture(shown)
        else:
            shown = np.rint((shown - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
        return shown.transpose(0, 2, 3, 1)

    return as_bytes


def _float_range(samples: Samples, rows: np.ndarray) -> tuple[float, float]:
    some = samples.take(rows[:: max(1, len(rows) // 200)])
    low, high = np.quantile(some, FLOAT_RANGE)
    return float(low), float(max(high, low + 1e-9))


def _resized(picture: np.ndarray, step: Step) -> np.ndarray:
    from PIL import Image

    height, width, channels = picture.shape
    if (width, height) == (step.width, step.height):
        return picture
    image = Image.fromarray(picture if channels == 3 else picture[:, :, 0])
    small = image.resize((step.width, step.height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(small).reshape(step.height, step.width, channels)


def _encoded(sheet: "Image", step: Step) -> bytes:
    file = io.BytesIO()
    if step.quality == LOSSLESS:
        sheet.save(file, "WEBP", lossless=True, quality=50, method=2)
    else:
        sheet.save(file, "WEBP", quality=step.quality, method=4)
    return file.getvalue()
