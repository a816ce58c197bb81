"""What needs no training: the controls beside a restored image. Images are (channels, height, width), float32."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
import torch
from scipy import ndimage

from ae_pipelines.models.corruptions.greyscale import LUMA
from ae_pipelines.models.nets.resampling import without_learning
from ae_pipelines.samples.spec import VISIBLE
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel


@dataclass(frozen=True)
class Baseline:
    """Makes an image of the clean one's shape, in [0, 1], from a corrupted one."""

    work: Callable[[np.ndarray, np.ndarray | None], np.ndarray | None]
    """(corrupted, clean if known) → image; clean is used only to see where an image was changed."""
    most_pixels: float = inf
    """Pixels of the largest images that it takes; larger ones would take minutes."""

    def __call__(self, image: np.ndarray, clean: np.ndarray | None = None) -> np.ndarray | None:
        """The image; None if it is too large, or has nothing in it to go by."""
        return self.work(image, clean) if image.shape[1] * image.shape[2] <= self.most_pixels else None


BLUR = np.array([[1, 2, 1], [2, 6, 2], [1, 2, 1]], np.float32) / 18
BIHARMONIC_PIXELS = 64 * 64
ROWS_FOR_MEAN = 2000


def baselines(trained: TrainedModel, samples: Samples) -> dict[str, Baseline]:
    """Baselines by name, for what this model undoes; the first only gives the image its final shape, which all others
    do too, after their work."""
    task = trained.contract.task
    channels, times = task.samples.shape[0], task.enlargement
    options = {choice["kind"]: choice for choice in trained.contract.corruptions}
    name = "bicubic" if times > 1 else "grey" if task.input_shape[0] < channels else "identity"
    shaped = partial(_shaped, mode="bicubic", times=times, channels=channels)
    found: dict[str, Baseline] = {name: Baseline(lambda x, _: shaped(x))}
    if times > 1:
        found["bilinear"] = Baseline(lambda x, _: shaped(x, mode="bilinear"))
    if task.input_shape[0] < channels:
        tint = _mean_tint(samples)
        found["mean_colour"] = Baseline(lambda x, _: np.clip(shaped(x) + tint, 0, 1))
    if options.keys() & {"gaussian_noise", "salt_and_pepper", "masking"}:
        found |= {"blur": Baseline(lambda x, _: shaped(blur(x))), "median": Baseline(lambda x, _: shaped(median(x)))}
    if "gaussian_noise" in options:
        level = options["gaussian_noise"]["noise_level"]
        found["non_local_means"] = Baseline(lambda x, _: shaped(non_local_means(x, level)))
    if "patches" in options:
        fill = options["patches"]["fill"]
        found["biharmonic"] = Baseline(
            lambda x, clean: None if (filled := biharmonic(x, clean, fill)) is None else shaped(filled),
            BIHARMONIC_PIXELS,
        )
    return found


def blur(x: np.ndarray) -> np.ndarray:
    """The mean over 3 × 3 pixels, weighted 1 2 1, 2 6 2, 1 2 1."""
    return np.clip(np.stack([ndimage.convolve(channel, BLUR, mode="mirror") for channel in x]), 0, 1)


def median(x: np.ndarray) -> np.ndarray:
    """The median of 3 × 3 pixels, each channel by itself."""
    return np.clip(ndimage.median_filter(x, size=(1, 3, 3), mode="mirror"), 0, 1)


def non_local_means(x: np.ndarray, noise_level: float) -> np.ndarray:
    """Buades et al. 2011 as in scikit-image, given the noise level, patches of 5 × 5 pixels among 13 × 13, and a
    bandwidth of 0.6 noise levels, which suits photos of 32 × 32 pixels better than its default of 0.8."""
    from skimage.restoration import denoise_nl_means

    flat = len(x) == 1  # with a channel axis of length 1 it returns images turned
    made = denoise_nl_means(
        x[0] if flat else x,
        patch_size=5,
        patch_distance=6,
        h=0.6 * noise_level,
        sigma=noise_level,
        fast_mode=True,
        channel_axis=None if flat else 0,
    )
    return np.clip(made, 0, 1).astype(np.float32).reshape(x.shape)


def biharmonic(x: np.ndarray, clean: np.ndarray | None, fill: float) -> np.ndarray | None:
    """Holes filled by the biharmonic equation (Damelin & Hoang 2018), as in scikit-image; None for an image that
    is all hole. A hole is what has the value `fill` and, where clean is known, did not have it before."""
    from skimage.restoration import inpaint_biharmonic

    holes = np.all(np.abs(x - fill) < VISIBLE, axis=0)
    if clean is not None and clean.shape == x.shape:
        holes &= (np.abs(x - clean) > VISIBLE).any(axis=0)
    if holes.all():
        return None
    return np.clip(inpaint_biharmonic(x, holes, channel_axis=0), 0, 1).astype(np.float32) if holes.any() else x


def _shaped(x: np.ndarray, mode: str, times: int, channels: int) -> np.ndarray:
    """The image enlarged, a single channel repeated, in [0, 1]."""
    image = torch.from_numpy(np.ascontiguousarray(x, np.float32))[None]
    shape = (channels, *(times * side for side in x.shape[1:]))
    return without_learning(image, shape, mode)[0].clamp(0, 1).numpy()


def _mean_tint(samples: Samples) -> np.ndarray:
    """Mean colour of train samples minus its luma, (3, 1, 1)."""
    rows = samples.positions("train")
    some = samples.take(rows[np.linspace(0, len(rows) - 1, min(ROWS_FOR_MEAN, len(rows))).astype(int)])
    mean = samples.spec.as_input(some).mean(axis=(0, 2, 3), dtype=np.float64)
    return (mean - mean @ np.array(LUMA)).astype(np.float32)[:, None, None]
