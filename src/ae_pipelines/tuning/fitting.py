"""Whether a search space fits a recipe: each field is tried at both ends, or with each choice, before anything runs."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.paths import KIND, Field, field_at
from ae_pipelines.tuning.space import Among, Range, Space, changed, plain, shown, value_at

SETTLED = {
    "name": "it is what the recipe is called",
    "source": "samples are what they are",
    "loader.normal_labels": "trials are compared on the same samples",
    "loader.memory_budget": "it changes nothing that is learned",
    "loader.augment": "it is short for corruptions: give choices of loader.corruptions",
    "training.until_epoch": "it is for a training that is over: give choices of training.epochs",
    "training.validation_share": "trials are compared on the same samples",
    "training.device": "it changes nothing that is learned",
    "training.threads": "trials have one thread each",
    "training.initial_encoder": "an encoder that has learned may have seen what trials are judged by",
    "training.freeze_encoder": "an encoder that has learned may have seen what trials are judged by",
    "training.seed": "the luckiest seed is no better recipe",
    "training.checkpoint_seconds": "it changes nothing that is learned",
}
"""Fields that are not for searching, and why."""
MOST = 1_000
"""As many combinations of what a field depends on are tried."""


def refuse_misfits(space: Space, recipe: Recipe) -> None:
    """`InputError` for the first field that does not fit this recipe."""
    if not space.fields:
        raise InputError(f"space {space.name} has no fields, so there is nothing to search: give some")
    for path in space.fields:
        try:
            _refuse_misfit(space, path, recipe)
        except InputError as error:
            raise InputError(f"space {space.name}: {path}: {error}") from error


def contexts(space: Space, path: str, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Values of all fields on which depends whether a field is there and counts: every combination, in order."""
    needed = _needed(space, path)
    found: list[dict[str, Any]] = [{}]
    for other in [other for other in space.fields if other in needed]:
        field = space.fields[other]
        values = list(field.choices.values()) if isinstance(field, Among) else [field.low, field.high]
        found = [
            each
            for before in found
            for each in (
                [before | {other: value} for value in values] if space.counts(other, before, recipe) else [before]
            )
        ]
    return islice(found, MOST)


def _needed(space: Space, path: str) -> set[str]:
    """The earlier fields that its conditions name, or that say which part it belongs to, and what these need."""
    earlier = [*space.fields][: [*space.fields].index(path)]
    read = [path, *space.fields[path].when]
    own = {other for other in earlier if any(_makes(other, each) for each in read)}
    return own.union(*(_needed(space, other) for other in own))


def _makes(other: str, path: str) -> bool:
    """Whether a value at `other` says what there is at `path`."""
    part = other.removesuffix(f".{KIND}")
    return other == path or path.startswith(f"{part}.")


def _refuse_misfit(space: Space, path: str, recipe: Recipe) -> None:
    _refuse_settled(path)
    _refuse_disorder(space, path)
    every = list(contexts(space, path, recipe))
    for condition, wanted in space.fields[path].when.items():
        _refuse_idle(space, path, condition, wanted, every, recipe)
    counting = [values for values in every if space.counts(path, values, recipe)]
    if not counting:
        raise InputError("its conditions never hold together: leave one out")
    for values in counting:
        try:
            _try(path, space.fields[path], changed(recipe, values))
        except InputError as error:
            where = ", ".join(f"{other} {name}" for other, name in space.named(values).items())
            raise InputError(f"with {where}: {error}" if values else str(error)) from error


def _refuse_settled(path: str) -> None:
    if path in SETTLED or path.startswith("loader.normal_labels."):
        raise InputError(f"it cannot be searched: {SETTLED.get(path, 'trials are compared on the same samples')}")


def _refuse_disorder(space: Space, path: str) -> None:
    for other in [*space.fields][: [*space.fields].index(path)]:
        if other != path and _makes(path, other):
            raise InputError(f"it comes after {other}, which it would undo: put it before")


def _refuse_idle(
    space: Space, path: str, condition: str, wanted: Any, every: list[dict[str, Any]], recipe: Recipe
) -> None:
    """`InputError` for a condition that reads no field, one that is searched later, or that holds always or never."""
    names = [*space.fields]
    if condition in names:
        if names.index(condition) >= names.index(path):
            raise InputError(f"when: {condition} is searched after it: put {condition} before")
        if isinstance(space.fields[condition], Range):
            raise InputError(f"when: {condition} is a range: only choices, and what a recipe has, can be conditions")
    found, refused = list[Any](), InputError("")
    for values in every:
        try:
            found.append(values[condition] if condition in values else value_at(changed(recipe, values), condition))
        except InputError as error:
            refused = error
    if not found:
        raise InputError(f"when: {condition}: {refused}")
    for each in wanted if isinstance(wanted, list) and wanted else [wanted]:
        if not any(space.is_one_of(condition, value, each) for value in found):
            if isinstance(wanted, list) and any(space.is_one_of(condition, value, wanted) for value in found):
                return
            known = list(
                dict.fromkeys(str(name) for value in found for name in [space.named({condition: value})[condition]])
            )
            raise InputError(
                f"when: {condition} is never {shown(each)}; {suggestion(shown(each), [shown(name) for name in known])}"
            )


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
