"""A search space: which fields of a recipe may change, and between what. Cheap to import."""

import math
from collections.abc import Iterator
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.fitting import refuse_misfits
from ae_pipelines.tuning.paths import KIND, changed, described, field_at, plain, put, value_at
from ae_pipelines.tuning.searched import Among, Range, SearchedFields, equal, shown

__all__ = ["Among", "Range", "Space", "changed", "grid", "plain", "shown", "value_at"]

GRID = 200
"""A grid has at most as many combinations."""


class Space(SearchedFields):
    """Which fields of a recipe are searched, and between what."""

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` where a path, a bound or a condition does not fit this recipe."""
        refuse_misfits(self, recipe)

    def whole_numbers(self, recipe: Recipe) -> set[str]:
        """The paths of ranges of which only whole numbers count, of a space that fits this recipe."""
        return {path for path, field in self.fields.items() if isinstance(field, Range) and self._whole(path, recipe)}

    def _whole(self, path: str, recipe: Recipe) -> bool:
        for values in self.contexts(path, recipe):
            if self.counts(path, values, recipe):
                return field_at(plain(changed(recipe, values)), Recipe, path).is_whole
        return False

    def own(self, recipe: Recipe) -> dict[str, Any]:
        """The values that the recipe has, by path, of those fields that count for it; what it leaves open are its
        defaults. Of a part that is searched, with its options, it is the choice that these options make what it is."""
        values: dict[str, Any] = {}
        for path, field in self.fields.items():
            if self.counts(path, values, recipe):
                value = value_at(recipe, path)
                values[path] = self._choice_like(path, field, recipe, value) if isinstance(field, Among) else value
        return values

    def _choice_like(self, path: str, field: Among, recipe: Recipe, value: Any) -> Any:
        inside = [other for other in self.fields if other.startswith(f"{path}.")]
        for choice in field.choices.values():
            like = put(plain(recipe), Recipe, path, choice)
            for other in inside:
                try:
                    like = put(like, Recipe, other, value_at(recipe, other))
                except InputError:
                    continue  # this choice, or the recipe, has no such option
            if equal(described(field_at(like, Recipe, path)), value):
                return choice
        return value

    def titles(self, values: dict[str, Any]) -> list[str]:
        """Field and value of each, in words: "latent_size 8"; with the part it belongs to where another field of the
        space is called so, too."""
        return [f"{self._title(path)} {shown(value)}" for path, value in self.named(values).items()]

    def _title(self, path: str) -> str:
        last = path.split(".")[-1]
        alone = [other.split(".")[-1] for other in self.fields].count(last) == 1 and last != KIND
        return last if alone else ".".join(path.split(".")[-2:])


def grid(space: Space, recipe: Recipe) -> list[dict[str, Any]]:
    """Every combination of the values of a space, by path; `InputError` where a range has no step, or above 200."""
    most = math.prod(len(_points(space.name, path, field)) for path, field in space.fields.items())
    whole = space.whole_numbers(recipe)
    found: list[dict[str, Any]] = [{}]
    for path, field in space.fields.items():
        points = _points(space.name, path, field)
        if path in whole:
            points = [int(point) for point in points]
        found = list(_extended(space, path, points, found, recipe))
        if len(found) > GRID:
            raise InputError(
                f"space {space.name}: a grid over all its fields has up to {most:,} combinations, at most {GRID} are "
                "allowed: give fewer fields or choices, or larger steps"
            )
    return found


def _extended(
    space: Space, path: str, points: list[Any], found: list[dict[str, Any]], recipe: Recipe
) -> Iterator[dict[str, Any]]:
    for values in found:
        yield from [values | {path: point} for point in points] if space.counts(path, values, recipe) else [values]


def _points(name: str, path: str, field: Range | Among) -> list[Any]:
    if isinstance(field, Among):
        return list(field.choices.values())
    if field.step is None:
        raise InputError(
            f"space {name}: {path}: a grid needs to know which values: give choices, or a range with a step"
        )
    return [round(field.low + place * field.step, 12) for place in range(field.steps + 1)]
