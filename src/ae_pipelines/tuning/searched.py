"""What is searched: ranges of numbers and choices, and on what it depends whether a field of them counts."""

import math
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.words import guessed
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.paths import KIND, changed, value_at

MOST = 1_000
"""As many combinations of what a field depends on are tried."""


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

    choices: dict[str, Any]

    @field_validator("choices", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, list):
            values = [guessed(value) for value in given]
            names = [shown(value) for value in values]
            if twice := {name for name in names if names.count(name) > 1}:
                raise InputError(f"{', '.join(sorted(twice))} is given twice: give each once")
            return dict(zip(names, values, strict=True))
        if not isinstance(given, dict):
            raise InputError(f"given {shown(given)}, expected a list of values, or values by name")
        return {str(name): guessed(value) for name, value in given.items()}

    @field_validator("choices")
    @classmethod
    def _differ(cls, choices: dict[str, Any]) -> dict[str, Any]:
        named = list(choices.items())
        if len(named) < 2:
            raise InputError(f"given {', '.join(choices) or 'none'}, expected two values or more to choose from")
        for place, (name, value) in enumerate(named):
            for other, same in named[:place]:
                if equal(value, same):
                    raise InputError(f"{other} and {name} are the same, {value!r}: give each once")
        return choices

    def name_of(self, value: Any) -> str | None:
        """The name of the choice with this value; None if there is none."""
        return next((name for name, each in self.choices.items() if equal(each, value)), None)


class SearchedFields(Options):
    """The fields that are searched, by their path in the recipe (`model.latent_size`), in order: a part comes before
    its options, and a field before those that depend on it."""

    name: str = "unnamed"
    fields: dict[str, Range | Among] = {}

    @field_validator("fields", mode="before")
    @classmethod
    def _read_each(cls, given: Any, already: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        try:
            return {str(path): searched(str(path), field) for path, field in given.items()}
        except InputError as error:
            raise InputError(f"space {already.data.get('name')}: {error}") from error

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
        every = [wanted, *wanted] if isinstance(wanted, list) else [wanted]  # a list may be the value itself
        return any(equal(value, each) or (name is not None and name == each) for each in every)

    def contexts(self, path: str, recipe: Recipe, fixed: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Values of all fields on which depends whether a field is there and counts: every combination, in order, each
        with the `fixed` values of fields that are not searched."""
        found: list[dict[str, Any]] = [{}]
        for other in self._needed(path):
            found = [each for values in found for each in self._continued(other, values, recipe, fixed or {})][:MOST]
        return [values | (fixed or {}) for values in found]

    def _continued(
        self, path: str, values: dict[str, Any], recipe: Recipe, fixed: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The values with each choice of one more field, if it counts."""
        field = self.fields[path]
        if not isinstance(field, Among) or not self.counts(path, values | fixed, recipe):
            return [values]
        return [values | {path: value} for value in field.choices.values()]

    def _needed(self, path: str) -> list[str]:
        """The earlier fields that its conditions name, or that say which part it belongs to, and what these need."""
        earlier = [*self.fields][: [*self.fields].index(path)]
        read = [path, *self.fields[path].when]
        own = {other for other in earlier if any(makes(other, each) for each in read)}
        every = own.union(*(self._needed(other) for other in own))
        return [other for other in earlier if other in every]

    def named(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values as one reads them: choices by their names, without a name as text; numbers as they are."""
        return {path: self._name(path, value) for path, value in values.items()}

    def _name(self, path: str, value: Any) -> Any:
        field = self.fields.get(path)
        if isinstance(field, Among):
            return field.name_of(value) or shown(value)
        return value


def searched(path: str, given: Any) -> Range | Among:
    """The field that is given as plain data; `InputError` if it is none."""
    if isinstance(given, Range | Among):
        return given
    if not isinstance(given, dict):
        raise InputError(f"{path}: given {shown(given)}, expected a range {{low: 1, high: 8}} or {{choices: [1, 8]}}")
    try:
        return Among.model_validate(given) if "choices" in given else Range.model_validate(given)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def shown(value: Any) -> str:
    """A value as a short name."""
    if isinstance(value, dict):
        named = [f"{name} {shown(item)}" for name, item in value.items() if name != "kind"]
        return " ".join([str(value["kind"]), *named] if "kind" in value else named) or "nothing"
    if isinstance(value, list):
        return ("-" if all(isinstance(item, int) for item in value) else " and ").join(map(shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def equal(value: Any, other: Any) -> bool:
    """Equality that tells True from 1."""
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(equal, value, other))
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def makes(other: str, path: str) -> bool:
    """Whether a value at `other` says what there is at `path`."""
    part = other.removesuffix(f".{KIND}")
    return other == path or path.startswith(f"{part}.")
