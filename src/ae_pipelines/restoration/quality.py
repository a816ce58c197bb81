"""How near a restored image is to the clean one. Images are (channels, height, width), float32 in [0, 1]."""

import numpy as np
from scipy import ndimage

from ae_pipelines.contract import VISIBLE

CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
"""Cb and Cr of red, green and blue (ITU-T T.871, section 7, without the offset)."""

WINDOW = 11
"""Pixels, of SSIM; its weights are a Gaussian of standard deviation 1.5."""
STRIP = 256
"""Rows of its positions that are worked on at once."""


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, of a peak of 1; no more than 100."""
    return _decibel(float(np.mean((image - clean) ** 2)))


def ssim(image: np.ndarray, clean: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004), averaged over channels and the positions where the window fits: what
    `losses.structural_similarity` has, but in a time that grows with the image, and in strips, for large images."""
    height, width = image.shape[1:]
    window = min(WINDOW, height - (height + 1) % 2, width - (width + 1) % 2)
    places, total = height - window + 1, 0.0
    for top in range(0, places, STRIP):
        rows = slice(top, min(top + STRIP, places) + window - 1)
        for x, y in zip(image, clean, strict=True):
            total += float(_similarity(x[rows], y[rows], window).sum(dtype=np.float64))
    return total / (len(image) * places * (width - window + 1))


def chroma_psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """PSNR of the two colour difference channels alone, in dB, of a peak of 1."""
    return _decibel(chroma_error(image, clean))


def chroma_error(image: np.ndarray, clean: np.ndarray) -> float:
    """Mean squared error of the two colour difference channels: its mean over images, unlike that of PSNR, is not
    ruled by the few that are grey."""
    differences = np.tensordot(CHROMA, image - clean, axes=1)  # (2, height, width)
    return float(np.mean(differences**2))


def by_place(image: np.ndarray, clean: np.ndarray, corrupted: np.ndarray) -> dict[str, float]:
    """Squared error inside, where `corrupted` differs from `clean`, and outside; each a sum divided by the number of
    all values, so that both together are the mean squared error."""
    changed = (np.abs(corrupted - clean) > VISIBLE).any(axis=0)
    squared = (image - clean) ** 2
    return {
        "inside_error": float(np.sum(squared * changed) / squared.size),
        "outside_error": float(np.sum(squared * ~changed) / squared.size),
    }


def _similarity(x: np.ndarray, y: np.ndarray, window: int) -> np.ndarray:
    """Of two (height, width), at every position where the window fits; constants as in Wang et al."""
    weights = np.exp(-((np.arange(window) - window // 2) ** 2) / (2 * 1.5**2))
    weights, inside = weights / weights.sum(), slice(window // 2, -(window // 2) or None)

    def mean(values: np.ndarray) -> np.ndarray:
        down = ndimage.correlate1d(values, weights, axis=0)[inside]
        return ndimage.correlate1d(down, weights, axis=1)[:, inside]

    mean_x, mean_y = mean(x), mean(y)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    c1, c2 = 0.01**2, 0.03**2
    structure = (2 * (mean(x * y) - product) + c2) / (mean(x * x + y * y) - squares + c2)
    return (2 * product + c1) / (squares + c1) * structure


def _decibel(error: float) -> float:
    return float(-10 * np.log10(max(error, 1e-10)))
