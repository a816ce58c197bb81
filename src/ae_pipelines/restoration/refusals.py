"""What is refused before any image is restored."""

import json
from pathlib import Path
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


def refuse_other_task(trained: TrainedModel, recipe: Recipe, samples: Samples) -> None:
    """`InputError` unless the model was trained on such samples, to undo the corruptions of the recipe."""
    wanted = _as_stored(recipe.loader.corruptions)
    had = _as_stored([CorruptionChoice(**choice) for choice in trained.contract.corruptions])
    if wanted != had:
        raise InputError(
            f"the trained model undoes {_named(had, wanted)} (recipe {trained.contract.recipe}), not "
            f"{_named(wanted, had)} (recipe {recipe.name}): run ingest and fit with this recipe first, or name "
            "the model's own, or give its data_dir",
            stages=("ingest", "fit"),
        )
    if not trained.restores:
        raise InputError(f"the trained model (recipe {trained.contract.recipe}) gives no images, so restore cannot run")
    trained.contract.samples.refuse_other(samples.spec, trained.contract.part)


def refuse_own_output(options: RestoreOptions, folder: Path) -> None:
    """`InputError` if what is given lies in the folder that will be replaced."""
    for place in (options.input, options.clean):
        if place is not None and folder.resolve() in (place.resolve(), *place.resolve().parents):
            raise InputError(f"{place} is where this stage writes, so it would be overwritten: copy it elsewhere first")


def _as_stored(corruptions: list[CorruptionChoice]) -> list[dict[str, Any]]:
    """All options, with defaults for those that an older contract lacks, as read from a file: JSON has no
    tuples."""
    return list(json.loads(json.dumps([choice.described() for choice in corruptions])))


def _named(corruptions: list[dict[str, Any]], others: list[dict[str, Any]]) -> str:
    """Kinds in words, with the options that differ from the others'."""
    texts = []
    for number, choice in enumerate(corruptions):
        other = others[number] if number < len(others) else {}
        differing = [
            f"{name} {value}"
            for name, value in choice.items()
            if other.get("kind") == choice["kind"] and other.get(name) != value
        ]
        texts.append(choice["kind"] + (f" with {', '.join(differing)}" if differing else ""))
    return " and ".join(texts) or "no corruption"
