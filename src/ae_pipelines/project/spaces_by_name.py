"""Search spaces by name, as files of `conf/base/parameters/spaces` give them; without a name, that of the recipe."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from kedro.config import OmegaConfigLoader

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.tracking.parameters import NOT_IN_NAMES
from ae_pipelines.training.suits import AUTO

ANY = "training"
"""The space that fits every recipe."""


class SpaceFiles(Mapping[str, Any]):
    """The fields of each search space, by name: `parameters/spaces/<name>.yml`, of the base or the run's environment,
    has the space `<name>`. A file is read when its space is asked for."""

    FOLDER = "parameters/spaces"

    def __init__(self, configuration: OmegaConfigLoader) -> None:
        self._configuration = configuration

    def __getitem__(self, name: str) -> Any:
        self._configuration.config_patterns[self.FOLDER] = [f"{self.FOLDER}/{name}.yml"]
        found = self._configuration[self.FOLDER].get("spaces")
        if not isinstance(found, dict) or name not in found:
            raise InputError(
                f"{self.FOLDER}/{name}.yml has no space {name!r}: begin it with spaces:, and below {name}:"
            )
        return found[name]

    def __iter__(self) -> Iterator[str]:
        loader = self._configuration
        environments = dict.fromkeys([loader.base_env, loader.env or loader.default_run_env])
        folders = [f"{loader._get_conf_env_path(each)}/{self.FOLDER}" for each in environments]
        yield from dict.fromkeys(PurePath(path).stem for at in folders for path in loader._fs.glob(f"{at}/*.yml"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(name == each for each in self)


def with_space(tune: Any, spaces: Mapping[str, Any], recipe: dict[str, Any]) -> Any:
    """What is given for `tune`, with all of the space in place of its name; `InputError` if there is none. A recipe
    that is yet to be found has no space, and neither has any where there are no files of them."""
    if not isinstance(tune, dict) or ("space" not in tune and (recipe.get("name") == AUTO or not spaces)):
        return tune
    given = tune.get("space", default_space(spaces, recipe))
    return tune | {"space": _called(given, spaces, "tune.space")}


def with_grid(scoreboard: Any, spaces: Mapping[str, Any], recipe: dict[str, Any]) -> Any:
    """What is given for `scoreboard`, where it has a space with an entry for each of its combinations; `InputError` if
    there is no such space, if it does not fit the recipe, or if they are too many."""
    if not isinstance(scoreboard, dict) or "space" not in scoreboard:
        return scoreboard
    if "recipes" in scoreboard:
        raise InputError("scoreboard: recipes and a space are given: give one of them, and recipe=... with a space")
    others = {name: value for name, value in scoreboard.items() if name != "space"}
    return others | {"recipes": _grid(_called(scoreboard["space"], spaces, "scoreboard.space"), recipe)}


def default_space(spaces: Mapping[str, Any], recipe: dict[str, Any]) -> str:
    """The space with the recipe's own name, else that of its method and net, or of its method, else what fits all."""
    model = recipe.get("model")
    model = model if isinstance(model, dict) else {}
    net = model.get("net")
    kinds = [str(part.get("kind")) for part in (model, net) if isinstance(part, dict)]
    known = {*spaces}
    return next((name for name in (str(recipe.get("name")), "_".join(kinds), *kinds[:1]) if name in known), ANY)


def _called(given: Any, spaces: Mapping[str, Any], option: str) -> Any:
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
    entries: dict[str, Any] = {}
    for values in grid(searched, whole):
        name = NOT_IN_NAMES.sub("_", " ".join([whole.name, *searched.titles(values)]))
        if name in entries:
            raise InputError(f"scoreboard.space: two entries would be called {name!r}: give choices other names")
        entries[name] = {"recipe": plain(changed(whole, values))}
    return entries
