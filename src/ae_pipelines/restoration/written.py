"""Restored images become PNG files."""

from pathlib import Path

import numpy as np
from PIL import Image

SPACES = {1: b"GRAY", 3: b"RGB "}
"""Colours, by the number of channels, as an ICC profile names them (ICC.1:2022, section 7.2.8: bytes 16 to 19)."""


def as_written(images: np.ndarray) -> np.ndarray:
    """The images clipped to [0, 1] and rounded to what 8 bits per channel can hold."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.float32) / np.float32(255)


def save(path: Path, image: np.ndarray, alpha: np.ndarray | None, profile: bytes | None) -> None:
    """Write an image (channels, height, width) of values `as_written`; alpha, uint8 (height, width), gets its size, and
    a colour profile is left out if it is for other colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0)  # (height, width, channels)
    picture = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    if alpha is not None:
        picture.putalpha(Image.fromarray(alpha).resize(picture.size, Image.Resampling.BICUBIC))
    fitting = profile if profile and profile[16:20] == SPACES[len(image)] else None
    picture.save(path, icc_profile=fitting)
