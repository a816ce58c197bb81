"""Decodes image files to arrays: all processing is declared, and an unusable file is refused with a reason."""

import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, NamedTuple, Self

import numpy as np
import PIL
from PIL import ExifTags, Image, ImageOps
from pydantic import BeforeValidator, Field, model_validator

from ae_pipelines.base.errors import InputError, Unusable, first_of
from ae_pipelines.base.options import Options

if TYPE_CHECKING:
    import pyarrow as pa

Size = tuple[int, int]
"""(height, width) as displayed: after the rotation that EXIF asks for."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
"""Pillow's names of pixel formats with 8 bits per channel, or fewer."""

GREY_16 = "I;16"
"""How Pillow's names of 16-bit grey begin."""
BITS_PER_SAMPLE = 258
"""Number of that tag in a TIFF."""
EIGHT_TO_SIXTEEN = 257
"""Factor that makes the white of 8 bits that of 16."""

Bits = Literal["8", "16 of grey", "16 of colours"]
"""Bits a channel, 8 also for fewer. Of 16 in each of several channels Pillow reads the upper 8."""

LARGEST_MEGAPIXELS = 100
"""Limit for an image that is read at its own size."""

Pixels = Annotated[int, Field(gt=0)]
Shade = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Shade, Shade, Shade]
"""Red, green, blue."""


class ImageOptions(Options):
    """What is done to every image."""

    size: Annotated[
        tuple[Pixels, Pixels] | None, BeforeValidator(lambda given: [given] * 2 if isinstance(given, int) else given)
    ] = None
    """(height, width) in pixels, or one number for a square; None: all images must have one size."""
    colour: Literal["rgb", "grey"] = "rgb"
    resize: Literal["crop", "pad", "stretch"] | None = None
    """How images are resized (Lanczos filter). crop: cover the size, then cut equally at both ends; pad: the
    whole image, centred on the background; stretch: ignore the proportions; None: not at all."""
    background: Colour = (0, 0, 0)
    """Colour of transparent and of padded pixels."""
    frames: Literal["reject", "first"] = "reject"
    """Animations and files of several pages: rejected, or their first picture used."""
    largest_megapixels: Annotated[float, Field(gt=0)] = 16
    """Images with more, by their header, are rejected without decoding."""
    cmyk: Literal["convert", "reject"] = "convert"
    """Print colours: converted without a colour profile, or rejected."""

    @model_validator(mode="after")
    def _resizes_to_a_size(self) -> Self:
        if self.resize and not self.size:
            raise ValueError(f"resize={self.resize} needs a size: give size=[height,width] too")
        return self


def format_of(start: bytes) -> str | None:
    """The format of a file, one of `FORMATS`, by its first twelve bytes; None if it has none of them."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in STARTS.items() if start.startswith(magic)), None)


def header_size(file: BinaryIO, options: ImageOptions) -> Size | None:
    """The size of an image, from its header alone; None if the image cannot be used.

    In a PNG, only EXIF data before the pixels count.
    """
    try:
        file.seek(0)
        with _opened(file, options) as image:
            return (image.width, image.height) if _sideways(image) else (image.height, image.width)
    except MemoryError:
        raise
    except Exception:
        return None


def bits_of(file: BinaryIO, options: ImageOptions) -> Bits | None:
    """How many bits an image's header declares; None if it cannot be used."""
    try:
        start = file.read(26)
        kind = format_of(start[:12])
        if kind == "PNG":  # ISO 15948, 11.2.2: bit depth and colour type follow width and height
            return "8" if start[24:25] != b"\x10" else "16 of grey" if start[25:26] == b"\0" else "16 of colours"
        if kind != "TIFF":
            return "8" if kind else None
        file.seek(0)
        with _opened(file, options) as image:
            if image.mode.startswith(GREY_16):
                return "16 of grey"
            if image.mode not in MODES:
                return None
            bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
            return "16 of colours" if 16 in bits else "8"
    except (Unusable, OSError):
        return None


def common_size(sizes: Iterable[tuple[str, Size | None]], options: ImageOptions) -> Size:
    """The one size of images that are not resized, given (id, size) of each; `InputError` if there are several."""
    counts: Counter[Size] = Counter()
    examples: dict[Size, str] = {}
    for name, size in sizes:
        if size:
            counts[size] += 1
            examples.setdefault(size, name)
    if not counts:
        raise InputError(f"none of the files is an image that can be used: expected {', '.join(FORMATS)}")
    expected = options.size or counts.most_common(1)[0][0]
    if set(counts) != {expected}:
        found = [f"{n} of {h} x {w} (such as {examples[h, w]})" for (h, w), n in counts.most_common()]
        raise InputError(
            f"images of several sizes, or not of the size given (height x width): {first_of(found)}. "
            "Give source.size=[height,width],source.resize=crop (or pad, or stretch)"
        )
    return expected


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
            _refuse_damaged_png(content)
        with _opened(BytesIO(content), self.options) as image:
            return self._decoded(image)

    def _decoded(self, image: Image.Image) -> np.ndarray:
        if self.options.resize:
            image.draft(None, (2 * max(self.size), 2 * max(self.size)))
        image.load()
        upright = _upright(image)
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
        _refuse_damaged_png(content)
    options = ImageOptions(largest_megapixels=LARGEST_MEGAPIXELS, frames="first")
    with _opened(BytesIO(content), options) as image:
        several, profile = _has_several(image), image.info.get("icc_profile")
        image.load()
        upright = _upright(image)
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
        _refuse_damaged_png(content)
    with _opened(BytesIO(content), options) as image:
        image.load()
        upright = _upright(image)
        if upright.mode in MODES and upright.mode != "L":
            upright = _flattened(upright, (0, 0, 0))
        values = np.asarray(upright)
    return values.reshape(*values.shape[:2], -1)


def encoded_leaf(column: str, type_: "pa.DataType") -> str | None:
    """The path to read for a parquet column of encoded images: the column, if it is binary, or its field `bytes`, as in
    Hugging Face's layout; None if it is neither."""
    import pyarrow as pa

    leaf = column
    if pa.types.is_struct(type_) and type_.get_field_index("bytes") >= 0:
        leaf, type_ = f"{column}.bytes", type_.field("bytes").type
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return leaf if any(kind(type_) for kind in kinds) else None


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


def _padded(image: Image.Image, size: Size, background: Colour | int) -> Image.Image:
    (height, width), scale = size, min(size[0] / image.height, size[1] / image.width)
    inner = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    canvas = Image.new(image.mode, (width, height), background)
    canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return canvas


def _stretched(image: Image.Image, size: Size, background: Colour | int) -> Image.Image:
    return image.resize(size[::-1], Image.Resampling.LANCZOS)


RESIZERS: dict[str, Callable[[Image.Image, Size, Colour | int], Image.Image]] = {
    "crop": _cropped,
    "pad": _padded,
    "stretch": _stretched,
}


@contextmanager
def _opened(file: BinaryIO, options: ImageOptions) -> Iterator[Image.Image]:
    """An image of which only the header is read; any error within the block becomes `Unusable`."""
    start = file.read(12)
    limit = int(options.largest_megapixels * 1e6)
    too_large = Unusable(f"more than {options.largest_megapixels:g} megapixels, by its header")
    try:
        with _pillow_refusing(limit):
            image = Image.open(file, formats=FORMATS)
            if image.width * image.height > limit:
                raise too_large
            if options.frames == "reject" and _has_several(image):
                raise Unusable("several frames or pages (frames=first takes the first)")
            yield image
    except (Unusable, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise too_large from None
    except Exception as error:
        raise Unusable(_reason(start, error)) from error


@contextmanager
def _pillow_refusing(pixels: int) -> Iterator[None]:
    """Pillow without its warnings, and with our limit in place of its own."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _has_several(image: Image.Image) -> bool:
    """Whether there are several pictures; those after the first in a phone's MPO are previews or other views of it."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _reason(start: bytes, error: Exception) -> str:
    kind = format_of(start)
    if kind is None:
        return "not a PNG, JPEG, GIF, BMP, TIFF or WebP image"
    if "truncated" in str(error):
        return f"{kind} is cut short"
    return f"{kind} is damaged, or of a kind that cannot be read"


def _refuse_damaged_png(content: bytes) -> None:
    """Check all chunks (ISO 15948, 5.3: length, type, data, CRC of type and data) up to the one that ends a PNG."""
    at = 8
    while (kind := content[at + 4 : at + 8]) != b"IEND":
        end = at + 8 + int.from_bytes(content[at : at + 4])
        if len(kind) < 4 or end + 4 > len(content):
            raise Unusable("PNG without its end (IEND)")
        if zlib.crc32(memoryview(content)[at + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise Unusable("PNG is damaged: a checksum (CRC) differs")
        at = end + 4


def _sideways(image: Image.Image) -> bool:
    """Whether EXIF, if it can be read, asks for a rotation that swaps height and width."""
    try:
        turn = Image.Image.getexif(image).get(ExifTags.Base.Orientation)  # a PNG's own method would decode it
        return image.format != "TIFF" and turn in (5, 6, 7, 8)  # Pillow has turned a TIFF's size already
    except Exception:
        return False


def _upright(image: Image.Image) -> Image.Image:
    """The same image, rotated as EXIF asks for, if that can be read."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:
        pass
    return image


def _flattened(image: Image.Image, background: Colour) -> Image.Image:
    """RGB, composited where the image has an alpha channel or a transparent colour."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, background)
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
