"""Whether a search space fits a recipe: each field is tried at both ends, or with each choice, before anything runs."""

import logging
from typing import Any

from ae_pipelines.base.errors import InputError, first_of, suggestion
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.paths import Field, changed, field_at, plain, value_at
from ae_pipelines.tuning.searched import Among, Range, SearchedFields, makes, shown

log = logging.getLogger(__name__)

SETTLED = {
    "name": "it is what the recipe is called",
    "source": "samples are what they are",
    "loader.normal_labels": "trials are compared on the same samples",
    "loader.memory_budget": "it changes nothing that is learned",
    "loader.augment": "it is short for corruptions: give choices of loader.corruptions",
    "training.until_epoch": "it is for a training that is over: give choices of training.epochs",
    "training.validation_share": "trials are compared on the same samples",
    "training.device": "it changes nothing that is learned",
    "training.execution": "it changes nothing that is learned",
    "training.deterministic": "it changes nothing that is learned",
    "training.threads": "trials have one thread each",
    "training.memory_format": "it changes nothing that is learned",
    "training.initial_encoder": "an encoder that has learned may have seen what trials are judged by",
    "training.freeze_encoder": "an encoder that has learned may have seen what trials are judged by",
    "training.seed": "the luckiest seed is no better recipe",
    "training.checkpoint_seconds": "it changes nothing that is learned",
}
"""Fields that are not for searching, and why."""


def refuse_misfits(space: SearchedFields, recipe: Recipe) -> None:
    """`InputError` for the first field that does not fit this recipe."""
    if not space.fields:
        raise InputError(f"space {space.name} has no fields, so there is nothing to search: give some")
    idle = []
    for path in space.fields:
        try:
            if not _counts_somewhere(space, path, recipe):
                idle.append(path)
        except InputError as error:
            raise InputError(f"space {space.name}: {path}: {error}") from error
    if len(idle) == len(space.fields):
        raise InputError(
            f"space {space.name}: no field counts for this recipe: give another space, or other conditions"
        )
    if idle:
        log.info("space %s: not searched for this recipe, since conditions do not hold: %s", space.name, first_of(idle))


def _counts_somewhere(space: SearchedFields, path: str, recipe: Recipe) -> bool:
    """Whether this field is searched for this recipe, with some values of the others; `InputError` if it is unfit."""
    _refuse_settled(path)
    _refuse_disorder(space, path)
    for condition, wanted in space.fields[path].when.items():
        _refuse_late(space, path, condition)
        _refuse_idle(space, path, condition, wanted, recipe)
    if _try_all(space, path, recipe):
        return True
    if not _try_all(space, path, recipe, _wanted(space, path)):
        raise InputError("its conditions never hold together: leave one out")
    return False


def _try_all(space: SearchedFields, path: str, recipe: Recipe, fixed: dict[str, Any] | None = None) -> bool:
    """Whether this field counts for any values of the others; `InputError` where it then does not fit."""
    every = space.contexts(path, recipe, fixed)
    counting = [values for values in every if space.counts(path, values, recipe)]
    for values in counting:
        try:
            _try(path, space.fields[path], changed(recipe, values))
        except InputError as error:
            where = ", ".join(f"{other} {name}" for other, name in space.named(values).items())
            raise InputError(f"with {where}: {error}" if values else str(error)) from error
    return bool(counting)


def _wanted(space: SearchedFields, path: str) -> dict[str, Any]:
    """The values that conditions want of fields that are not searched: a space may serve several recipes, and a field
    that does not count for this one is to fit those for which it does."""
    found: dict[str, Any] = {}
    for condition, wanted in space.fields[path].when.items():
        if condition in space.fields:
            found |= _wanted(space, condition)
        else:
            found[condition] = wanted[0] if isinstance(wanted, list) and wanted else wanted
    return found


def _refuse_settled(path: str) -> None:
    if path in SETTLED or path.startswith("loader.normal_labels."):
        raise InputError(f"it cannot be searched: {SETTLED.get(path, 'trials are compared on the same samples')}")


def _refuse_disorder(space: SearchedFields, path: str) -> None:
    for other in [*space.fields][: [*space.fields].index(path)]:
        if other != path and makes(path, other):
            raise InputError(f"it comes after {other}, which it would undo: put it before")


def _refuse_late(space: SearchedFields, path: str, condition: str) -> None:
    names = [*space.fields]
    if condition in names and names.index(condition) >= names.index(path):
        raise InputError(f"when: {condition} is searched after it: put {condition} before")
    if isinstance(space.fields.get(condition), Range):
        raise InputError(f"when: {condition} is a range: only choices, and what a recipe has, can be conditions")


def _refuse_idle(space: SearchedFields, path: str, condition: str, wanted: Any, recipe: Recipe) -> None:
    """`InputError` for a condition on no field, or on a value that this field never has, or cannot have."""
    field = space.fields.get(condition)
    found = list(field.choices.values()) if isinstance(field, Among) else _found(space, path, condition, recipe)
    if any(space.is_one_of(condition, value, [wanted]) for value in found):
        return
    for each in wanted if isinstance(wanted, list) and wanted else [wanted]:
        if not any(space.is_one_of(condition, value, [each]) for value in found):
            _refuse_impossible(space, path, condition, each, found, recipe)


def _refuse_impossible(
    space: SearchedFields, path: str, condition: str, wanted: Any, found: list[Any], recipe: Recipe
) -> None:
    if any(f"{condition}.".startswith(f"{other}.") for other in space.fields):
        known = list(dict.fromkeys(shown(space.named({condition: value})[condition]) for value in found))
        raise InputError(f"when: {condition} is never {shown(wanted)}; {suggestion(shown(wanted), known)}")
    refused = InputError("")
    for values in space.contexts(path, recipe):
        try:
            changed(recipe, values | {condition: wanted})
        except InputError as error:
            refused = error
        else:
            return
    raise InputError(f"when: {condition} cannot be {shown(wanted)}: {refused}")


def _found(space: SearchedFields, path: str, condition: str, recipe: Recipe) -> list[Any]:
    """The values of a field that is not searched, among all values of those that are; `InputError` if it is in none."""
    found, refused = list[Any](), InputError("there is no such field")
    for values in space.contexts(path, recipe):
        try:
            found.append(value_at(changed(recipe, values), condition))
        except InputError as error:
            refused = error
    if not found:
        raise InputError(f"when: {condition}: {refused}")
    return found


def _try(path: str, field: Range | Among, recipe: Recipe) -> None:
    """`InputError` if the recipe cannot take this field's values."""
    now = field_at(plain(recipe), Recipe, path)
    if isinstance(field, Among):
        for name, value in field.choices.items():
            _try_value(path, value, recipe, "" if name == shown(value) else f"{name}: ")
        return
    _refuse_no_number(field, now)
    for value in (field.low, field.high):
        _try_value(path, int(value) if now.is_whole else value, recipe)


def _try_value(path: str, value: Any, recipe: Recipe, prefix: str = "") -> None:
    try:
        changed(recipe, {path: value})
    except InputError as error:
        raise InputError(f"{prefix}{error}") from error


def _refuse_no_number(field: Range, now: Field) -> None:
    if not now.is_number:
        raise InputError(f"it is no number (the recipe has {shown(now.value)}): give choices, not a range")
    if not now.is_whole:
        return
    for name in ("low", "high", "step"):
        value = getattr(field, name)
        if value is not None and not float(value).is_integer():
            raise InputError(f"{name} is {value:g}, but it takes whole numbers: give one")
