"""Models on latents as `.skops` files: opening one runs no code beyond our list of trusted types."""

from pathlib import Path
from typing import Any

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError

TRUSTED: list[str] = [
    "ae_pipelines.downstream.detectors.gaussian.Gaussian",
    "ae_pipelines.downstream.detectors.errors.ErrorColumn",
    "ae_pipelines.downstream.detectors.distance.References",
    "ae_pipelines.downstream.detection.AnomalyModel",
    "ae_pipelines.downstream.clusterers.by_neighbours.ByNeighbours",
    "ae_pipelines.downstream.clustering.Groups",
    "ae_pipelines.downstream.clustering.Tried",
    "ae_pipelines.downstream.calibration.Isotonic",
    "ae_pipelines.downstream.calibration.Sigmoid",
    "ae_pipelines.downstream.calibration.Temperature",
    "ae_pipelines.downstream.calibration.Unchanged",
    "ae_pipelines.downstream.classification.Classifier",
    "ae_pipelines.downstream.classifiers.knn.AsTheyAre",
    "ae_pipelines.downstream.classifiers.knn.LabelledVectors",
    "ae_pipelines.downstream.classifiers.logistic_regression.Linear",
    "ae_pipelines.downstream.classifiers.logistic_regression.Scale",
    "ae_pipelines.downstream.classifiers.references.Distributions",
    "ae_pipelines.downstream.classifiers.references.References",
    "ae_pipelines.downstream.on_latents.EncodedBy",
]
"""Types beyond skops' own defaults that our models hold; never taken from the file."""
AGAIN = "run the stage that makes it again"


def read(path: Path) -> Any:
    """The model in a file; `InputError` if it is damaged, or holds anything else."""
    from skops import io as skops
    from skops.io.exceptions import UntrustedTypesFoundException

    seals.check(path, AGAIN)
    try:
        return skops.load(path, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise InputError(f"{path} holds types that are not trusted: {error}. Train the model again") from error


def write(path: Path, model: Any) -> None:
    """Write this model to the file, replacing what was there."""
    from skops import io as skops

    with seals.replacing(path) as temporary:
        skops.dump(model, temporary)
