"""Search spaces by name, as files of `conf/base/parameters/spaces` give them; without a name, that of the recipe."""

from typing import Any

from ae_pipelines.base.errors import InputError, suggestion

ANY = "training"
"""The space that fits every recipe."""


def with_space(tune: Any, spaces: dict[str, Any], recipe: dict[str, Any]) -> Any:
    """What is given for `tune`, with all of the space in place of its name; `InputError` if there is none."""
    if not isinstance(tune, dict):
        return tune
    given = tune.get("space")
    return tune | {"space": _called(default_space(spaces, recipe) if given is None else given, spaces, "tune.space")}


def with_grid(scoreboard: Any, spaces: dict[str, Any], recipe: dict[str, Any]) -> Any:
    """What is given for `scoreboard`, where it has a space with an entry for each of its combinations; `InputError` if
    there is no such space, if it does not fit the recipe, or if they are too many."""
    if not isinstance(scoreboard, dict) or "space" not in scoreboard:
        return scoreboard
    if "recipes" in scoreboard:
        raise InputError("scoreboard: recipes and a space are given: give one of them, and recipe=... with a space")
    others = {name: value for name, value in scoreboard.items() if name != "space"}
    return others | {"recipes": _grid(_called(scoreboard["space"], spaces, "scoreboard.space"), recipe)}


def default_space(spaces: dict[str, Any], recipe: dict[str, Any]) -> str:
    """The space with the recipe's own name, else that of its method and net, or of its method, else what fits all."""
    model = recipe.get("model")
    model = model if isinstance(model, dict) else {}
    net = model.get("net")
    kinds = [str(part.get("kind")) for part in (model, net) if isinstance(part, dict)]
    fitting = [str(recipe.get("name")), "_".join(kinds), kinds[0]]
    return next((name for name in fitting if name in spaces), ANY)


def _called(given: Any, spaces: dict[str, Any], option: str) -> Any:
    """All of the space that has this name, or that is given whole."""
    if isinstance(given, dict) and "name" in given and "fields" not in given:
        given = given["name"]
    if isinstance(given, dict):
        return given
    name = str(given)
    if name not in spaces:
        raise InputError(f"{option}: no space called {name!r}; {suggestion(name, sorted(spaces))}")
    return {"name": name, "fields": spaces[name]}


def _grid(space: Any, recipe: dict[str, Any]) -> dict[str, Any]:
    from ae_pipelines.training.recipe import Recipe
    from ae_pipelines.tuning.space import Space, changed, grid, plain

    searched, whole = Space.model_validate(space), Recipe.model_validate(recipe)
    searched.check_recipe(whole)
    return {
        ", ".join([whole.name, *searched.titles(values)]): {"recipe": plain(changed(whole, values))}
        for values in grid(searched, whole)
    }
