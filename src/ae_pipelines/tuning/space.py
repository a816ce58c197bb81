"""A search space: which fields of a recipe may change, and between what. Cheap to import."""

from typing import Annotated, Any

from pydantic import Field

from ae_pipelines.base.options import Options
from ae_pipelines.training.recipe import Recipe


class Searched(Options):
    """A field that is searched."""

    when: dict[str, Any] = {}
    """Only where these other fields of the recipe have this value, or one of these values: {model.kind: vae}."""


class Range(Searched):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    """Whether their logarithms are drawn evenly."""
    step: Annotated[float, Field(gt=0)] | None = None


class Among(Searched):
    """Some values; with names, where they are long: {narrow: [250, 100], wide: [512, 128]}."""

    choices: Annotated[dict[str, Any], Field(min_length=1)]


class Space(Options):
    """The fields that are searched, by their path in the recipe (`model.latent_size`), in order."""

    name: str = "unnamed"
    fields: dict[str, Range | Among] = {}

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` where a path, a bound or a condition does not fit this recipe."""
        raise NotImplementedError

    def own(self, recipe: Recipe) -> dict[str, Any]:
        """The values that the recipe has, by path, of those fields that count for it; what it leaves open are its
        defaults."""
        raise NotImplementedError

    def counts(self, path: str, values: dict[str, Any], recipe: Recipe) -> bool:
        """Whether this field is searched, where the fields before it have these values."""
        raise NotImplementedError


def changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with other values, each by its path; of a part of another kind it keeps the options that this one
    takes, too. `InputError` if it cannot take one."""
    raise NotImplementedError
