"""How near a restored image is to the clean one. Images are (channels, height, width), float32 in [0, 1]."""

import numpy as np
import torch

from ae_pipelines.models.losses import structural_similarity
from ae_pipelines.samples.spec import VISIBLE

CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
"""Cb and Cr of red, green and blue (ITU-T T.871, section 7, without the offset)."""

WINDOW = 11
"""Pixels of the window of SSIM, whose weights are a Gaussian of standard deviation 1.5."""


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, for a peak of 1; at most 100."""
    return _decibel(float(np.mean((image - clean) ** 2)))


def ssim(image: np.ndarray, clean: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004), averaged over channels and the positions where the window fits, as in
    scikit-image; for images smaller than the window as in `losses`, with a smaller window."""
    if min(image.shape[1:]) < WINDOW:
        x, y = (torch.from_numpy(np.ascontiguousarray(values, np.float32))[None] for values in (image, clean))
        return float(structural_similarity(x, y).mean())
    from skimage import metrics

    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(metrics.structural_similarity(image, clean, channel_axis=0, data_range=1, **window))


def chroma_psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """PSNR of only the two colour difference channels, in dB, for a peak of 1."""
    return _decibel(chroma_error(image, clean))


def chroma_error(image: np.ndarray, clean: np.ndarray) -> float:
    """Mean squared error of the two colour difference channels: its mean over images, unlike that of PSNR, is not
    dominated by the few that are grey."""
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


def _decibel(error: float) -> float:
    return float(-10 * np.log10(max(error, 1e-10)))
