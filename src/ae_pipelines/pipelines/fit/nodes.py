"""Samples and a recipe become a trained autoencoder."""

from typing import Any

from ae_pipelines.recipe import Recipe
from ae_pipelines.samples import Samples


def train(samples: Samples, recipe: Recipe, checkpoint: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The autoencoder with its best weights, and a row an epoch."""
    from ae_pipelines import training

    return training.train(samples, recipe, checkpoint)


def draw_learning_curves(history: list[dict[str, Any]]) -> Any:
    from ae_pipelines import plots

    return plots.learning_curves(history)
