"""What is done to every image of a source."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ae_pipelines.base.options import Options

Size = tuple[int, int]
"""(height, width) as displayed: after the rotation that EXIF asks for."""

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
