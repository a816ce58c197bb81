"""Supervised learning on the same few labels, beside classifiers on latents."""

from typing import Any

import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.comparison import contrast
from ae_pipelines.comparison.contrast import ContrastOptions
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples


def compare(
    samples: Samples, latents: Latents, few_labels: dict[str, Any] | Skipped, options: ContrastOptions, run: Run
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The error by number of labels, and where some test samples lie in each space."""
    from ae_pipelines.comparison import supervised

    if isinstance(few_labels, Skipped):
        raise InputError(f"contrast stands on the few-label curve of classify, which was skipped: {few_labels.why}")
    return supervised.contrast(samples, latents, few_labels, options, run)


def measure(curves: dict[str, Any]) -> dict[str, float]:
    """Errors of the supervised classifiers, and from how many labels on they are the lower ones."""
    return contrast.metrics(curves)


def draw_curve(curves: dict[str, Any]) -> Any:
    """Error against labels: supervised, from latents, from PCA."""
    from ae_pipelines.plots import contrast as plots

    return plots.contrast_curve(curves, contrast.wins_from(curves["supervised"], curves["latents"]))


def draw_maps(spaces: pd.DataFrame) -> Any:
    """The same test samples in each space, in the plane."""
    from ae_pipelines.plots import contrast as plots

    return plots.contrast_maps(spaces)
