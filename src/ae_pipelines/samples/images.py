"""Decodes the content of image files to arrays, by declared processing alone."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import PIL
from PIL import Image, ImageOps

from ae_pipelines.base.errors import Unusable
from ae_pipelines.samples.image_files import (
    GREY_16,
    MODES,
    format_of,
    has_several,
    opened,
    refuse_damaged_png,
    turned_upright,
)
from ae_pipelines.samples.image_options import Colour, ImageOptions, Size

if TYPE_CHECKING:
    pass

EIGHT_TO_SIXTEEN = 257
"""Factor that makes the white of 8 bits that of 16."""

LARGEST_MEGAPIXELS = 100
"""Limit for an image that is read at its own size."""

SHALLOW = {"16_bit_grey": "value * 255 / 65535, rounded"}
DEEP = {"16_bit_grey": "kept", "8_bit": "value * 257"}
"""What is done to images of another depth than that of the samples, for the record."""


@dataclass(frozen=True)
class ImageDecoder:
    """Decodes the content of an image file to (channels, height, width); `Unusable` says why it cannot."""

    options: ImageOptions
    size: Size
    deep: bool = False
    """Whether it gives uint16, which keeps the values of 16-bit grey, and not uint8."""

    @classmethod
    def of(cls, options: ImageOptions, size: Size, deep: bool = False) -> Self:
        """A decoder without the options that a source adds, so that a worker need not import the source."""
        return cls(ImageOptions(**options.model_dump(include=set(ImageOptions.model_fields))), size, deep)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of every image: (channels, height, width)."""
        return (3 if self.options.colour == "rgb" else 1, *self.size)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Everything that determines stored pixel values."""
        resized = {
            "filter": "lanczos",
            "jpeg": "decoded at 1/8, 1/4 or 1/2 where twice the longer side of the size is left",
        }
        return {
            **self.options.model_dump(mode="json", include={"colour", "resize", "background", "frames", "cmyk"}),
            **(resized if self.options.resize else {}),
            "size": list(self.size),
            "exif_rotation": "applied",
            **(DEEP if self.deep else SHALLOW),
        }

    @property
    def acceptance(self) -> dict[str, Any]:
        """Everything else that determines the outcome for an image."""
        return {"largest_megapixels": self.options.largest_megapixels, "pillow": PIL.__version__}

    def __call__(self, content: bytes) -> np.ndarray:
        if not content:
            raise Unusable("empty file")
        if format_of(content[:12]) == "PNG":
            refuse_damaged_png(content)
        with opened(BytesIO(content), self.options) as image:
            return self._decoded(image)

    def _decoded(self, image: Image.Image) -> np.ndarray:
        if self.options.resize:
            image.draft(None, (2 * max(self.size), 2 * max(self.size)))
        image.load()
        upright = turned_upright(image)
        if self.deep and upright.mode.startswith(GREY_16):
            return self._sixteen_bits(upright)
        upright = _eight_bits(upright, self.options)
        fitted = self._fitted(_flattened(upright, self.options.background), self.options.background)
        values = np.asarray(fitted if self.options.colour == "rgb" else fitted.convert("L"))
        values = np.ascontiguousarray(values.reshape(*self.size, -1).transpose(2, 0, 1))  # (channels, height, width)
        return values.astype(np.uint16) * EIGHT_TO_SIXTEEN if self.deep else values

    def _sixteen_bits(self, image: Image.Image) -> np.ndarray:
        """16-bit grey in each channel, resized as floating-point numbers."""
        paper = Image.new("RGB", (1, 1), self.options.background)
        paper = paper if self.options.colour == "rgb" else paper.convert("L")
        shades = [shade * EIGHT_TO_SIXTEEN for shade in paper.tobytes()]
        grey = Image.fromarray(np.asarray(image).astype(np.float32))
        fitted = {shade: np.asarray(self._fitted(grey, shade)) for shade in set(shades)}
        values = np.stack([fitted[shade] for shade in shades])
        return np.rint(values).clip(0, np.iinfo(np.uint16).max).astype(np.uint16)

    def _fitted(self, image: Image.Image, background: Colour | int) -> Image.Image:
        height, width = self.size
        if image.size == (width, height):
            return image
        if not self.options.resize:
            raise Unusable(f"another size than {height} x {width}")
        return RESIZERS[self.options.resize](image, self.size, background)


class Still(NamedTuple):
    """An image as it is in its file, but turned upright."""

    values: np.ndarray
    """(channels, height, width)."""
    alpha: np.ndarray | None
    """uint8 (height, width); None without transparency."""
    profile: bytes | None
    """ICC profile of the file's colours."""
    first_of_several: bool
    """Whether the file is an animation, or has several pages."""


def at_own_size(content: bytes, colour: Literal["rgb", "grey"], deep: bool = False) -> Still:
    """The image in a file's content, the first if there are several; `Unusable` says why it cannot be read."""
    if not content:
        raise Unusable("empty file")
    if format_of(content[:12]) == "PNG":
        refuse_damaged_png(content)
    options = ImageOptions(largest_megapixels=LARGEST_MEGAPIXELS, frames="first")
    with opened(BytesIO(content), options) as image:
        several, profile = has_several(image), image.info.get("icc_profile")
        image.load()
        upright = turned_upright(image)
        if deep and upright.mode.startswith(GREY_16):
            decode = ImageDecoder(ImageOptions(colour=colour), (upright.height, upright.width), deep)
            return Still(decode._sixteen_bits(upright), None, profile or None, several)
        upright = _eight_bits(upright, options)
        alpha = np.asarray(upright.convert("RGBA").getchannel("A")) if upright.has_transparency_data else None
        values = np.asarray(upright.convert("RGBA").convert("RGB" if colour == "rgb" else "L"))
    height, width = values.shape[:2]
    values = np.ascontiguousarray(values.reshape(height, width, -1).transpose(2, 0, 1))
    values = values.astype(np.uint16) * EIGHT_TO_SIXTEEN if deep else values
    return Still(values, alpha, profile or None, several)


def pixels_on_black(content: bytes, options: ImageOptions) -> np.ndarray:
    """The pixels of a file as it has them, at its own size and of any depth, (height, width, channels), upright and
    composited on black; `Unusable` says why it cannot be read."""
    if format_of(content[:12]) == "PNG":
        refuse_damaged_png(content)
    with opened(BytesIO(content), options) as image:
        image.load()
        upright = turned_upright(image)
        if upright.mode in MODES and upright.mode != "L":
            upright = _flattened(upright, (0, 0, 0))
        values = np.asarray(upright)
    return values.reshape(*values.shape[:2], -1)


def _eight_bits(image: Image.Image, options: ImageOptions) -> Image.Image:
    if image.mode.startswith(GREY_16):
        return Image.fromarray(np.rint(np.asarray(image) * (255 / 65_535)).astype(np.uint8))
    if image.mode not in MODES:
        kind = {"I": "32-bit", "F": "floating-point"}.get(image.mode, image.mode)
        raise Unusable(f"{kind} pixels, expected 8 bits a channel or 16-bit grey")
    if image.mode == "CMYK" and options.cmyk == "reject":
        raise Unusable("CMYK colours")
    return image


def _cropped(image: Image.Image, size: Size, background: Colour | int) -> Image.Image:
    return ImageOps.fit(image, size[::-1], Image.Resampling.LANCZOS)


def padded_place(image: Size, size: Size) -> tuple[Size, tuple[int, int]]:
    """The size, top and left that an image has in the middle of `size`, as large as its own proportions allow."""
    scale = min(size[0] / image[0], size[1] / image[1])
    inner = max(1, round(image[0] * scale)), max(1, round(image[1] * scale))
    return inner, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)


def _padded(image: Image.Image, size: Size, background: Colour | int) -> Image.Image:
    inner, (top, left) = padded_place((image.height, image.width), size)
    canvas = Image.new(image.mode, size[::-1], background)
    canvas.paste(image.resize(inner[::-1], Image.Resampling.LANCZOS), (left, top))
    return canvas


def _stretched(image: Image.Image, size: Size, background: Colour | int) -> Image.Image:
    return image.resize(size[::-1], Image.Resampling.LANCZOS)


RESIZERS: dict[str, Callable[[Image.Image, Size, Colour | int], Image.Image]] = {
    "crop": _cropped,
    "pad": _padded,
    "stretch": _stretched,
}


def _flattened(image: Image.Image, background: Colour) -> Image.Image:
    """RGB, composited where the image has an alpha channel or a transparent colour."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, background)
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
