"""Marks over images, to be removed again."""

from math import ceil, radians
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.regular_files import opened
from ae_pipelines.models.corruptions import CORRUPTIONS, Corruption, bounded_only, images_only
from ae_pipelines.samples.image_files import MODES
from ae_pipelines.samples.spec import SampleSpec

FONT_PIXELS, BOLD = 96, 3
"""How a text is drawn, in pixels: height of the font, and what is added on either side of a stroke."""
NO_CHARACTER = "\uffff"
"""Not a character, by definition; fonts draw a box for what they lack."""
LONGEST = 512
"""Longest side of a mark as it is kept, in pixels; larger ones are made smaller."""

Level = Annotated[float, Field(ge=0, le=1)]


def _low_to_high(given: tuple[float, float]) -> tuple[float, float]:
    if given[0] > given[1]:
        raise ValueError(f"given {list(given)}, but expected the lower end first")
    return given


@CORRUPTIONS.register("watermark")
class Watermark(Corruption):
    """Lays one mark over each image, at a random place, angle and opacity: `(1 - a) x + a colour`.

    The mark is `text`, or instead the shape in the image file `logo`: its alpha channel, or its brightness if it is
    opaque all over. `opacity` is drawn between two bounds; `scale` is the mark's share of the image's width (of its
    height, for a mark that would be higher than that); `rotation` is the largest angle either way, in degrees;
    `colour` is a level in [0, 1], 1 being white, or one for each channel. A mark that fits lies wholly inside.
    """

    nothing = {"opacity": [0, 0]}

    def __init__(
        self,
        *,
        text: Annotated[str, Field(min_length=1, max_length=100)] = "COPY",
        logo: str | None = None,
        opacity: Annotated[tuple[Level, Level], AfterValidator(_low_to_high)] = (0.5, 0.9),
        scale: Annotated[float, Field(gt=0, le=1)] = 0.7,
        rotation: Annotated[float, Field(ge=0, le=180)] = 30.0,
        colour: Level | list[Level] = 1.0,
    ) -> None:
        mark = _text_mask(text) if logo is None else _logo_mask(logo)
        self._mark = torch.from_numpy(np.asarray(mark, np.float32) / 255)[None, None]  # (1, 1, height, width)
        self._opacity, self._scale, self._rotation = opacity, scale, radians(rotation)
        self._colour = torch.tensor(colour if isinstance(colour, list) else [colour])
        self._kept: dict[tuple[torch.device, int, int], tuple[Tensor, Tensor]] = {}

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        channels = images_only(clean, "watermark").shape[0]
        if len(self._colour) not in (1, channels):
            raise InputError(
                f"watermark has a colour of {len(self._colour)} levels, given images of {channels} channels: "
                "give one level, or one for each channel"
            )
        return bounded_only(clean, "watermark")

    def __call__(self, target: Tensor, generator: torch.Generator) -> Tensor:
        angle, across, down, strength = torch.rand(4, len(target), generator=generator, device=target.device)
        low, high = self._opacity
        opacity = (low + (high - low) * strength)[:, None, None, None]
        mark, colour = self._ready_for(target)
        placed = self._placed(mark, target, self._rotation * (2 * angle - 1), 2 * across - 1, 2 * down - 1)
        return target.lerp(colour.expand_as(target), placed.mul_(opacity).clamp_(max=1))

    def _placed(self, mark: Tensor, target: Tensor, angle: Tensor, across: Tensor, down: Tensor) -> Tensor:
        """The mark over each image (batch, 1, height, width); across and down are in [-1, 1], 0 in the middle."""
        height, width = target.shape[2:]
        mark_height, mark_width = self._size(height, width)
        cos, sin = angle.cos(), angle.sin()
        x = across * (width - cos.abs() * mark_width - sin.abs() * mark_height).clamp_(min=0) / 2
        y = down * (height - cos.abs() * mark_height - sin.abs() * mark_width).clamp_(min=0) / 2
        image_to_mark = [
            *(cos * width / mark_width, sin * height / mark_width, (cos * x + sin * y) * (-2 / mark_width)),
            *(-sin * width / mark_height, cos * height / mark_height, (sin * x - cos * y) * (2 / mark_height)),
        ]
        grid = F.affine_grid(
            torch.stack(image_to_mark, dim=1).view(-1, 2, 3), [len(target), 1, height, width], align_corners=False
        )
        return F.grid_sample(mark.expand(len(target), -1, -1, -1), grid, align_corners=False)

    def _size(self, height: int, width: int) -> tuple[float, float]:
        """Height and width of the mark over such an image, pixels."""
        mark_height, mark_width = self._mark.shape[2:]
        scale = self._scale * min(height / mark_height, width / mark_width)
        return scale * mark_height, scale * mark_width

    def _ready_for(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mark and colour on the target's device, the mark's pixels as large as the target's.

        A mark that is sampled from a finer one would lose strokes.
        """
        height, width = target.shape[2:]
        key = (target.device, height, width)
        if key not in self._kept:
            size = [ceil(side) for side in self._size(height, width)]
            mark = F.interpolate(self._mark, size, mode="bilinear", antialias=True)
            self._kept[key] = mark.to(target.device), self._colour[:, None, None].to(target.device)
        return self._kept[key]


def _text_mask(text: str) -> Image.Image:
    """The text as a mask."""
    font = ImageFont.load_default(FONT_PIXELS)
    unknown = bytes(font.getmask(NO_CHARACTER))
    missing = [sign for sign in dict.fromkeys(text) if sign.isprintable() and bytes(font.getmask(sign)) == unknown]
    if missing:
        raise InputError(f"watermark: Pillow's built-in font has no {first_of(missing)}: give a logo, or another text")
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font, stroke_width=BOLD)
    canvas = Image.new("L", (ceil(right - left) + 2, ceil(bottom - top) + 2))
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), text, 255, font, stroke_width=BOLD)
    return _cut_out(canvas, f"the text {text!r} has nothing to draw")


def _logo_mask(path: str) -> Image.Image:
    """The shape in an image file, as a mask."""
    try:
        with opened(Path(path)) as file, Image.open(file) as image:
            if image.mode not in MODES:
                raise ValueError(f"{image.mode} pixels, expected 8 bits a channel")
            alpha = image.convert("RGBA").getchannel("A")
            mask = image.convert("L") if alpha.getextrema() == (255, 255) else alpha
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise InputError(
            f"watermark: cannot read the logo {path}: {error}. Give the path of an image file, such as a PNG"
        ) from error
    return _cut_out(mask, f"the logo {path} is transparent, or black, all over")


def _cut_out(mask: Image.Image, empty: str) -> Image.Image:
    """The mask without its empty margins."""
    box = mask.getbbox()
    if box is None:
        raise InputError(f"watermark: {empty}; give another")
    mark = mask.crop(box)
    mark.thumbnail((LONGEST, LONGEST))
    return mark
