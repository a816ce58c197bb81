"""Samples and a recipe become a trained autoencoder."""

from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe


def train(samples: Samples, recipe: Recipe, checkpoint: Any, run: Run) -> tuple[Any, list[dict[str, Any]]]:
    """The autoencoder with its best weights, and a row an epoch."""
    from ae_pipelines.training import loop

    return loop.train(samples, recipe, checkpoint, run)


def measure(autoencoder: Any, samples: Samples, recipe: Recipe) -> dict[str, float]:
    """Loss terms and the method's own measures on the test split."""
    from ae_pipelines.training import evaluation

    return evaluation.evaluate(autoencoder, samples, recipe)


def draw_examples(autoencoder: Any, samples: Samples) -> Any:
    """What the model makes of some test samples, or of noise."""
    from ae_pipelines.plots import rows
    from ae_pipelines.plots.figure import column_names
    from ae_pipelines.training import examples

    made = examples.examples(autoencoder, samples)
    shown = "samples of the test split" if "sample" in made else "drawn from noise"
    title = f"{autoencoder.contract.recipe} on {samples.manifest.source}: {shown}"
    return rows.examples(made, title, column_names(samples.spec))


def draw_learning_curves(history: list[dict[str, Any]]) -> Any:
    """Loss terms by epoch."""
    from ae_pipelines.plots import training

    return training.learning_curves(history)
