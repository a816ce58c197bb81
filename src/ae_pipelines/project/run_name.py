"""What a run is called, and what it works on."""

from typing import Any

from kedro.pipeline.node import Node

from ae_pipelines.pipeline_registry import SCORE, TRAIN
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

MODELS = ("autoencoder", "encoder", "decoder", "latents")
"""Entries that know by which recipe they were made."""


def pipeline_of(run_params: dict[str, Any]) -> str:
    """The pipeline or stages that a run was asked for, which Kedro gives in no fixed order: as they follow each other,
    then others by name."""
    names = sorted(run_params.get("pipeline_names") or ["__default__"])
    ordered = [stage for stage in (*TRAIN, *SCORE) if stage in names]
    return "+".join(dict.fromkeys([*ordered, *names]))


def stage_of(node: Node) -> str:
    """The stage that a node belongs to: the outermost of its namespaces."""
    return str(node.namespace).partition(".")[0]


def worked_on(entry: str, data: Any) -> dict[str, str]:
    """What a catalog entry that was loaded says of the `source` of the samples, or of the `recipe` of the model."""
    if entry == "source":
        return {"source": data.name}
    if isinstance(data, Samples):
        return {"source": data.manifest.source}
    if isinstance(data, Recipe):
        return {} if data.undecided else {"recipe": data.name}
    if entry in MODELS and (recipe := _recipe_of(data)):
        return {"recipe": recipe}
    return {}


def _recipe_of(made: Any) -> str | None:
    """Of a trained model, or of latents."""
    if (contract := getattr(made, "contract", None)) is not None:
        return str(contract.recipe)
    return (getattr(made, "metadata", None) or {}).get("recipe")
