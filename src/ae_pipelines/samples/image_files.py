"""What an image file is: its format, what its header declares, and whether it is damaged."""

import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal

from PIL import ExifTags, Image, ImageOps

from ae_pipelines.base.errors import InputError, Unusable, first_of
from ae_pipelines.samples.image_options import ImageOptions, Size

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
Bits = Literal["8", "16 of grey", "16 of colours"]
"""Bits a channel, 8 also for fewer. Of 16 in each of several channels Pillow reads the upper 8."""


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
        with opened(file, options) as image:
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
        with opened(file, options) as image:
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


@contextmanager
def opened(file: BinaryIO, options: ImageOptions) -> Iterator[Image.Image]:
    """An image of which only the header is read; any error within the block becomes `Unusable`."""
    start = file.read(12)
    limit = int(options.largest_megapixels * 1e6)
    too_large = Unusable(f"more than {options.largest_megapixels:g} megapixels, by its header")
    try:
        with _pillow_refusing(limit):
            image = Image.open(file, formats=FORMATS)
            if image.width * image.height > limit:
                raise too_large
            if options.frames == "reject" and has_several(image):
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


def has_several(image: Image.Image) -> bool:
    """Whether there are several pictures; those after the first in a phone's MPO are previews or other views of it."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _reason(start: bytes, error: Exception) -> str:
    kind = format_of(start)
    if kind is None:
        return "not a PNG, JPEG, GIF, BMP, TIFF or WebP image"
    if "truncated" in str(error):
        return f"{kind} is cut short"
    return f"{kind} is damaged, or of a kind that cannot be read"


def refuse_damaged_png(content: bytes) -> None:
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


def turned_upright(image: Image.Image) -> Image.Image:
    """The same image, rotated as EXIF asks for, if that can be read."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:
        pass
    return image
