"""Images as small pictures inside the page."""

import base64
from io import BytesIO

import numpy as np

LARGEST = 96
"""Pixels of the longer side; larger images are made smaller."""
SMALL = 40
"""Up to this side a picture is kept exactly (PNG); larger ones lose a little (WebP)."""
QUALITY = 75


def as_seen(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Images (n, channels, height, width) as uint8. Those like `like` whose values are not from 0 to 1 are stretched
    from its 1 % to its 99 % quantile."""
    low, high = (0.0, 1.0) if _is_unit(like) else (float(edge) for edge in np.quantile(like, (0.01, 0.99)))
    return _bytes((images - low) / ((high - low) or 1.0))


def heat(residuals: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Absolute errors (n, channels, height, width) as uint8 in colour: none is black, then red, yellow and white for
    half of the range of values of `like` and more."""
    full = 0.5 if _is_unit(like) else 0.5 * float(np.ptp(np.quantile(like, (0.01, 0.99)))) or 1.0
    share = np.clip(np.abs(residuals).mean(axis=1, keepdims=True) / full, 0, 1)
    return _bytes(np.concatenate([share * 3, share * 3 - 1, share * 3 - 2], axis=1))


def address(image: np.ndarray) -> str:
    """A data address of one image (channels, height, width), uint8, of one or three channels; of others the first."""
    from PIL import Image

    picture = Image.fromarray(image[0] if len(image) != 3 else image.transpose(1, 2, 0))
    small = max(picture.size) <= SMALL
    picture.thumbnail((LARGEST, LARGEST))
    kind, options = ("PNG", {"optimize": True}) if small else ("WEBP", {"quality": QUALITY})
    held = BytesIO()
    picture.save(held, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(held.getvalue()).decode()}"


def _is_unit(like: np.ndarray) -> bool:
    return bool(like.min() >= 0 and like.max() <= 1)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
