"""A search space: which fields of a recipe may change, and between what. Cheap to import."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.words import guessed
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.paths import described, field_at, put

GRID = 200
"""A grid has at most as many combinations."""


class Searched(Options):
    """A field that is searched."""

    when: dict[str, Any] = {}
    """Only where these other fields of the recipe have this value, or one of these values: {model.kind: vae}. A choice
    may be called by its name."""


class Range(Searched):
    """Numbers from `low` to `high`, both included."""

    low: Annotated[float, Field(allow_inf_nan=False)]
    high: Annotated[float, Field(allow_inf_nan=False)]
    log: bool = False
    """Whether their logarithms are drawn evenly."""
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Only low, low + step, ... up to high."""

    @model_validator(mode="after")
    def _refuse_disorder(self) -> Self:
        if not self.low < self.high:
            raise InputError(f"low is {self.low:g} and high {self.high:g}: give a low that is below high")
        if self.log and self.low <= 0:
            raise InputError(f"low is {self.low:g}, which has no logarithm: give a low above 0, or no log")
        if self.log and self.step is not None:
            raise InputError("a step and log are given: give one of them")
        if self.step is not None and not math.isclose(self.low + self.steps * self.step, self.high):
            raise InputError(f"steps of {self.step:g} from {self.low:g} do not end at {self.high:g}: give another high")
        return self

    @property
    def steps(self) -> int:
        """How many there are from low to high; 0 without a step."""
        return round((self.high - self.low) / self.step) if self.step else 0


class Among(Searched):
    """Some values; with names, where they are long: {narrow: [250, 100], wide: [512, 128]}. Of a list each is called by
    its text."""

    choices: Annotated[dict[str, Any], Field(min_length=2)]

    @field_validator("choices", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, list):
            values = [guessed(value) for value in given]
            names = [shown(value) for value in values]
            if twice := {name for name in names if names.count(name) > 1}:
                raise InputError(f"{', '.join(sorted(twice))} is given twice: give each once")
            return dict(zip(names, values, strict=True))
        return {str(name): guessed(value) for name, value in given.items()} if isinstance(given, dict) else given

    @field_validator("choices")
    @classmethod
    def _differ(cls, choices: dict[str, Any]) -> dict[str, Any]:
        named = list(choices.items())
        for place, (name, value) in enumerate(named):
            for other, same in named[:place]:
                if _equal(value, same):
                    raise InputError(f"{other} and {name} are the same, {value!r}: give each once")
        return choices

    def name_of(self, value: Any) -> str | None:
        """The name of the choice with this value; None if there is none."""
        return next((name for name, each in self.choices.items() if _equal(each, value)), None)


class Space(Options):
    """The fields that are searched, by their path in the recipe (`model.latent_size`), in order: a part comes before
    its options, and a field before those that depend on it."""

    name: str = "unnamed"
    fields: dict[str, Range | Among] = {}

    @field_validator("fields", mode="before")
    @classmethod
    def _read_each(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {str(path): _searched(str(path), field) for path, field in given.items()}

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` where a path, a bound or a condition does not fit this recipe."""
        from ae_pipelines.tuning.fitting import refuse_misfits

        refuse_misfits(self, recipe)

    def whole_numbers(self, recipe: Recipe) -> set[str]:
        """The paths of ranges of which only whole numbers count, of a space that fits this recipe."""
        from ae_pipelines.tuning.fitting import contexts

        def whole(path: str) -> bool:
            values = next(values for values in contexts(self, path, recipe) if self.counts(path, values, recipe))
            return field_at(plain(changed(recipe, values)), Recipe, path).is_whole

        return {path for path, field in self.fields.items() if isinstance(field, Range) and whole(path)}

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
            if _equal(described(field_at(like, Recipe, path)), value):
                return choice
        return value

    def counts(self, path: str, values: dict[str, Any], recipe: Recipe) -> bool:
        """Whether this field is searched, where the fields before it have these values."""
        return all(self._holds(other, wanted, values, recipe) for other, wanted in self.fields[path].when.items())

    def _holds(self, path: str, wanted: Any, values: dict[str, Any], recipe: Recipe) -> bool:
        if path in self.fields:
            return path in values and self.is_one_of(path, values[path], wanted)
        try:
            return self.is_one_of(path, value_at(changed(recipe, values), path), wanted)
        except InputError:
            return False  # with these values there is no such field

    def is_one_of(self, path: str, value: Any, wanted: Any) -> bool:
        """Whether the value of a field is the one that a condition wants, or one of those."""
        field = self.fields.get(path)
        name = field.name_of(value) if isinstance(field, Among) else None
        every = [wanted, *wanted] if isinstance(wanted, list) else [wanted]
        return any(_equal(value, each) or (name is not None and name == each) for each in every)

    def named(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values as one reads them: choices by their names, without a name as text; numbers as they are."""
        return {path: self._name(path, value) for path, value in values.items()}

    def _name(self, path: str, value: Any) -> Any:
        field = self.fields.get(path)
        if isinstance(field, Among):
            return field.name_of(value) or shown(value)
        return value


def changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with other values, each by its path, in order; a part of another kind keeps the options that this kind
    takes, too. `InputError` if the recipe cannot take one."""
    if not values:
        return recipe
    new = plain(recipe)
    for path, value in values.items():
        new = put(new, Recipe, path, value)
    made = Recipe.model_validate(new)
    made.model.check()
    for corruption in made.loader.corruptions:
        corruption.check()
    return made


def value_at(recipe: Recipe, path: str) -> Any:
    """What a recipe has at this path as plain data, with its default where it leaves that open; `InputError` if there
    is no such field."""
    return described(field_at(plain(recipe), Recipe, path))


def plain(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, without defaults of its parts, as plain data."""
    return recipe.model_dump(mode="json")


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
        raise InputError(f"space {name}: {path}: a grid needs a step from {field.low:g} to {field.high:g}: give one")
    return [round(field.low + place * field.step, 12) for place in range(field.steps + 1)]


def shown(value: Any) -> str:
    """A value as a short name."""
    if isinstance(value, dict):
        named = [f"{name} {shown(item)}" for name, item in value.items() if name != "kind"]
        return " ".join([str(value["kind"]), *named] if "kind" in value else named) or "nothing"
    if isinstance(value, list):
        return ("-" if all(isinstance(item, int) for item in value) else " + ").join(map(shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _searched(path: str, given: Any) -> Range | Among:
    if isinstance(given, Range | Among):
        return given
    if not isinstance(given, dict):
        raise InputError(f"{path}: given {shown(given)}, expected a range {{low: 1, high: 8}} or {{choices: [1, 8]}}")
    try:
        return Among.model_validate(given) if "choices" in given else Range.model_validate(given)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _equal(value: Any, other: Any) -> bool:
    """Equality that tells True from 1."""
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_equal, value, other))
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)
