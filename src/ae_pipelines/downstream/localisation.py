"""Is what is wrong with an image where the reconstruction is wrong? Measured by masks of the places."""

from collections.abc import Mapping

import numpy as np

from ae_pipelines.samples.store import Samples

MOST_PIXELS = 10_000_000
"""Pixels that a measurement looks at; images beyond are left out at random."""


def masked_test_rows(samples: Samples, normal_labels: tuple[str, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions of test images that have a mask or are normal, and their masks (n, height, width).

    Normal ones have one of `normal_labels`, or, where none are named, the only label that no image with a mask has.
    """
    masks: Mapping[str, np.ndarray] = samples.masks()
    if not masks:
        return np.empty(0, np.int64), np.empty((0, *samples.spec.shape[-2:]), bool)
    test = samples.index[samples.index["split"] == "test"]
    masked = test["sample_id"].isin(list(masks))
    normal = test["label"].isin(normal_labels or set(test["label"].dropna()) - set(test.loc[masked, "label"]))
    chosen = test[masked | normal]
    if not masked.any():
        return np.empty(0, np.int64), np.empty((0, *samples.spec.shape[-2:]), bool)
    most = max(1, MOST_PIXELS // masks[chosen.loc[masked, "sample_id"].iloc[0]].size)
    chosen = chosen.sample(most, random_state=seed).sort_index() if len(chosen) > most else chosen
    nothing = np.zeros(samples.spec.shape[-2:], bool)
    return chosen.index.to_numpy(), np.stack([masks.get(name, nothing) for name in chosen["sample_id"]])


def pixel_auroc(residuals: np.ndarray, masks: np.ndarray) -> float:
    """AUROC of pixels in and outside of masks (n, height, width), by the squared error of a reconstruction.

    Residuals are (n, channels, height, width); they are averaged over 3 x 3 pixels, and squares summed over channels.
    """
    from scipy.ndimage import uniform_filter
    from sklearn.metrics import roc_auc_score

    errors = np.square(uniform_filter(residuals, size=(1, 1, 3, 3), mode="nearest")).sum(axis=1)
    return float(roc_auc_score(masks.ravel(), errors.ravel()))
