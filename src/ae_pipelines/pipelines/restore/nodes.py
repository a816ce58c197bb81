"""Corrupted images become clean ones."""

from pathlib import Path
from typing import Any

import pandas as pd

from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe


def restore(
    samples: Samples, autoencoder: Any, recipe: Recipe, options: RestoreOptions, folder: Path
) -> tuple[pd.DataFrame, dict[str, float], Any]:
    """A row an image, their means, and a picture of some; the images themselves are written into the folder, once all
    of these are there."""
    from ae_pipelines.plots import restored as plots
    from ae_pipelines.restoration import restoring

    with restoring.restored(autoencoder, samples, recipe, options, folder) as done:
        picture = plots.restored(done.shown, done.best_baseline, done.recipe)
        return done.table, done.metrics, picture
