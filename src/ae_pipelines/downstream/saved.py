"""Models on latents as `.skops` files: opening one runs no code beyond our list of trusted types."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import regular

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
MOST_MEMBERS = 10_000
LONGEST_SCHEMA = 16 * 2**20
"""Bytes of the schema, which as Python's objects takes some twenty times as much."""
SCHEMA = "schema.json"


def read(path: Path) -> Any:
    """The model in a file; `InputError` if it is damaged, holds anything else, or would take more memory than its size
    says."""
    from skops import io as skops
    from skops.io.exceptions import UntrustedTypesFoundException

    seals.check(path, seals.AGAIN)
    try:
        _refuse_bomb(regular(path))
        found = skops.load(path, trusted=TRUSTED)
    except (InputError, FileNotFoundError):
        raise
    except UntrustedTypesFoundException as error:
        raise InputError(f"{path} holds types that are not trusted: {error}. Train the model again") from error
    except Exception as error:  # skops raises whatever a damaged or made-up file leads it to
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged, or no model of ours ({reason}): train the model again") from error
    if f"{type(found).__module__}.{type(found).__qualname__}" not in TRUSTED and not hasattr(found, "fit"):
        raise InputError(f"{path} holds a {type(found).__name__}, expected a model: train the model again")
    return found


def _refuse_bomb(path: Path) -> None:
    """Refuses an archive whose members are larger than it is (ours are stored as they are), or too many."""
    with ZipFile(path) as archive:
        members = archive.infolist()
    size, held = sum(member.file_size for member in members), path.stat().st_size
    schema = sum(member.file_size for member in members if member.filename == SCHEMA)
    if size > held or len(members) > MOST_MEMBERS or schema > LONGEST_SCHEMA:
        raise InputError(
            f"{path} declares {len(members):,} members of {size:,} bytes ({schema:,} of them its schema) in "
            f"{held:,} bytes, which no model of ours does: train the model again"
        )


def write(path: Path, model: Any) -> None:
    """Write this model to the file, replacing what was there."""
    from skops import io as skops

    with seals.replacing(path) as temporary:
        skops.dump(model, temporary)
