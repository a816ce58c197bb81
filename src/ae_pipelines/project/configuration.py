"""Kedro's configuration, with a source and a recipe picked by name.

`--params=source=mnist,recipe=conv` picks; `recipe.training.epochs=3` overrides one field of what is picked.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.io import CatalogProtocol, DataCatalog
from kedro.pipeline import Pipeline
from kedro.validation import ParameterValidationError

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.secrets import secrets_among
from ae_pipelines.base.words import expanded, guessed
from ae_pipelines.project.other_run import folder_of_other
from ae_pipelines.project.recipes_by_name import Recipes, only_that_of
from ae_pipelines.project.spaces_by_name import SpaceFiles, with_grid, with_space
from ae_pipelines.report.two_runs.options import WITH

FOLDERS = ("data_dir", "raw_dir", "recipes_dir")
TEXTS = (*FOLDERS, "model_name")
"""Those of `globals.yml` that are paths, and those that are text."""
SOURCE_NAME = "source.name"
"""Which source is picked, whether it is given, named by the recipe or the default."""


class ConfigLoader(OmegaConfigLoader):
    """Puts the picked source into the catalog and the picked recipe into the parameters.

    What the user gives is laid over Kedro's configuration here, and not by Kedro, which would interpret it: its words
    are yet to be read, and a text may hold what OmegaConf takes for a reference.
    """

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self._overrides = dict(runtime_params or {})
        self._only: str | None = None
        """The recipe that is read alone of those in the base's folder of recipes; None: all are read."""
        self.other_run: str | None = None
        """The folder of the run that this one is compared with, which catalog entries read; None: there is none."""
        self._recipes: Mapping[str, Any] = {}
        self._parameters: dict[str, Any] | None = None
        super().__init__(conf_source, env, {}, **options)
        self._refuse_missing_environment()
        self._overrides |= {name: _text(name, self._overrides[name]) for name in TEXTS if name in self._overrides}

    def _refuse_missing_environment(self) -> None:
        """`InputError` where there is no configuration: Kedro would go on without any."""
        base, chosen = self.base_env, self.env or self.default_run_env
        if "data_dir" not in self._globals and not Path(self._get_conf_env_path(base), "globals.yml").exists():
            raise InputError(
                f"no {base}/globals.yml in {self.conf_source}: "
                "start in the folder that holds conf/, or give --project-path"
            )
        if not self._fs.isdir(self._get_conf_env_path(chosen)):
            known = sorted(Path(path).name for path in self._fs.glob(f"{self.conf_source}/*/"))
            raise InputError(f"no environment called {chosen!r} in {self.conf_source}; {suggestion(chosen, known)}")

    def __getitem__(self, key: str) -> dict[str, Any]:
        config = self._all_parameters() if key == "parameters" else super().__getitem__(key)
        if key == "globals":
            return config | {name: _text(name, config[name]) for name in TEXTS if name in config}
        if key == "parameters":
            config = _overridden(config, self._of_parameters(config))
        if key == "catalog" and "sources" in config:
            sources = config.pop("sources")
            name, source = self._picked("source", sources)
            config["source"] = _of_kedro(sources[name]) | _with_path(source)
        if key == "parameters" and "recipes" in config:
            self._recipes = recipes = Recipes(config.pop("recipes"), self._every_recipe)
            name, recipe = self._picked("recipe", recipes.or_auto())
            config["recipe"] = recipe | {"name": name}
            spaces = SpaceFiles(self)
            if "tune" in config:
                config["tune"] = with_space(config["tune"], spaces, config["recipe"])
            if "scoreboard" in config:
                scoreboard = with_grid(config["scoreboard"], spaces, config["recipe"])
                config["scoreboard"] = _with_recipes(scoreboard, recipes, config["recipe"])
            config["source"] = self._name("source", recipes)
        return config

    def _all_parameters(self) -> dict[str, Any]:
        """What the files have, read once: Kedro asks for it several times in a run. Of the base's recipes, which are
        files of their names, it is the picked one; all of them take as long to read as everything else."""
        if self._parameters is None:
            self._only = self._name("recipe")
            self._parameters = super().__getitem__("parameters")
            if "recipes" not in self._parameters:  # the one that is picked is yet to be found, or to be missed
                self._only = None
                self._parameters = super().__getitem__("parameters")
        return deepcopy(self._parameters)

    def _every_recipe(self) -> dict[str, Any]:
        self._only = None
        return dict(super().__getitem__("parameters").get("recipes", {}))

    def _read_dir_configs(self, conf_path: str, patterns: Iterable[str], key: str, *others: Any) -> Any:
        if key == "parameters" and self._only is not None and conf_path == self._get_conf_env_path(self.base_env):
            patterns = only_that_of(self._only, patterns, conf_path, self._fs.glob)
        return super()._read_dir_configs(conf_path, patterns, key, *others)

    def _merge_configs(self, config: dict[str, Any], env_config: dict[str, Any], key: str, env_path: str) -> Any:
        """As Kedro does, which would take longer over nothing than over reading a file."""
        return super()._merge_configs(config, env_config, key, env_path) if env_config else config

    def _picked(self, noun: str, known: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name, and the entry of that name with the fields that the user overrides."""
        name = self._name(noun)
        if name not in known:
            raise InputError(f"no {noun} called {name!r}; {suggestion(name, sorted(known))}")
        overrides = self._given(noun)
        overrides.pop("name", None)
        if noun == "source" and (of_kedro := _of_kedro(overrides)):
            raise InputError(f"{noun}.{next(iter(of_kedro))}: it is the catalog's: give {noun}.kind, and its options")
        return name, _overridden(known[name], overrides)

    def recipe_called(self, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """A recipe by name with changes, over which the fields are laid that the user gives."""
        if name not in self._recipes:
            raise InputError(f"no recipe called {name!r}; {suggestion(name, sorted(self._recipes))}")
        given = {field: value for field, value in self._given("recipe").items() if field != "name"}
        return _overridden(_overridden(self._recipes[name], changes), given) | {"name": name}

    def _of_parameters(self, config: dict[str, Any]) -> dict[str, Any]:
        """What is given, without the source and the recipe, which are picked. A mistyped parameter is refused: it would
        be ignored, and another run would be done than was meant."""
        known = {*self._globals, *config} - {"recipes"}
        for name in self._overrides:
            if name not in known:
                raise InputError(f"no parameter called {name!r}; {suggestion(name, sorted(known))}")
        return {name: value for name, value in self._overrides.items() if name not in ("source", "recipe")}

    @property
    def data_dir(self) -> str:
        """The folder that everything is written to."""
        return str(self._overrides.get("data_dir", self._globals["data_dir"]))

    def _get_runtime_value(self, variable: str, *default: Any) -> Any:
        """What `${runtime_params:<variable>}` stands for."""
        if variable == WITH and self.other_run is not None:
            return self.other_run
        if variable == SOURCE_NAME:
            return self._name("source")
        found: Any = self._overrides
        for name in variable.split("."):
            if not (isinstance(found, dict) and name in found):
                return super()._get_runtime_value(variable, *default)
            found = found[name]
        if variable != "model_name" and (isinstance(found, dict | list) or "{" in str(found)):
            raise InputError(
                f"{variable}: given {found}, expected a text without braces: Kedro takes them for a pattern"
            )
        return guessed(found)

    def _name(self, noun: str, recipes: Recipes | None = None) -> str:
        """The name that the user gives, else, for a source, that in the recipe, else that in `globals.yml`."""
        given = self._given(noun).get("name")
        if given is None and noun == "source":
            if recipes is None:
                recipes = Recipes(self._all_parameters()["recipes"], self._every_recipe)
            given = self._picked("recipe", recipes.or_auto())[1].get("source")
        return str(given if given is not None else self._globals[noun])

    def _given(self, noun: str) -> dict[str, Any]:
        """The fields that the user gives: `recipe=conv` is short for `recipe.name=conv`."""
        given = self._overrides.get(noun, {})
        return dict(given) if isinstance(given, dict) else {"name": given}


def _text(name: str, given: Any) -> str:
    if isinstance(given, dict | list):
        raise InputError(f"{name}: given {given}, expected a text: put it into quotes")
    if name not in FOLDERS:
        return str(given)
    if not str(given).strip():
        raise InputError(f"{name}: given nothing, expected a folder")
    return _path(name, str(given))


def _path(name: str, given: str) -> str:
    try:
        return expanded(given)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _with_path(source: dict[str, Any]) -> dict[str, Any]:
    """The entry, whose path Kedro puts below the project's folder if it does not begin with a slash."""
    path = source.get("path")
    return source | {"path": _path("source.path", path)} if isinstance(path, str) else source


def _with_recipes(scoreboard: Any, recipes: Mapping[str, Any], picked: dict[str, Any]) -> Any:
    """The scoreboard's options, each recipe's name replaced by the recipe with the entry's changes; the picked
    recipe where they name none."""
    if not isinstance(scoreboard, dict):
        return scoreboard
    if "recipes" not in scoreboard:
        return scoreboard | {"recipes": {picked["name"]: {"recipe": picked}}}
    if not isinstance(entries := scoreboard["recipes"], list | dict):
        return scoreboard
    named = entries if isinstance(entries, dict) else {str(name): {} for name in entries}
    return scoreboard | {"recipes": {name: _entry(name, entry or {}, recipes) for name, entry in named.items()}}


def _entry(name: str, entry: Any, recipes: Mapping[str, Any]) -> Any:
    if not isinstance(entry, dict):
        return entry
    given = entry.get("recipe", {})
    change = dict(given) if isinstance(given, dict) else {"name": given}
    base = str(change.pop("name", name))
    if base not in recipes:
        raise InputError(f"no recipe called {base!r}; {suggestion(base, sorted(recipes))}")
    return entry | {"recipe": _overridden(recipes[base], change) | {"name": base}}


def _overridden(base: Any, given: Any) -> Any:
    """`base` with the given fields; where another `kind` is given, the options of the old one are dropped."""
    if not (isinstance(base, dict) and isinstance(given, dict)):
        return given
    if "kind" in given and given["kind"] != base.get("kind"):
        base = {}
    return base | {key: _overridden(base.get(key), value) for key, value in given.items()}


def _of_kedro(entry: dict[str, Any]) -> dict[str, Any]:
    """The fields of a catalog entry that belong to Kedro; they stay where another `kind` is given."""
    return {key: entry[key] for key in ("type", "metadata") if key in entry}


class Context(KedroContext):
    """A Kedro context whose refusals reach the hooks, so that a run refused for its input is on record."""

    @property
    def params(self) -> dict[str, Any]:
        """The parameters; what is given for one that no node declares a type for is read as YAML would read it."""
        return guessed(super().params)

    def _get_catalog(
        self,
        catalog_class: type = DataCatalog,
        save_version: str | None = None,
        load_versions: dict[str, str] | None = None,
    ) -> CatalogProtocol:
        try:
            _refuse_secrets(self._runtime_params or {})
            self.config_loader.other_run = folder_of_other(self.params, self.project_path)  # type: ignore[attr-defined]
            return super()._get_catalog(catalog_class, save_version, load_versions)
        except Exception as error:
            refusal = _plain(error)
            if save_version is not None:  # a run, not someone looking at the catalog
                self._hook_manager.hook.on_pipeline_error(
                    error=refusal,
                    run_params={"run_id": save_version, "pipeline_names": self._pipelines_to_validate},
                    pipeline=Pipeline([]),
                    catalog=DataCatalog(),
                )
            raise refusal from error


def _refuse_secrets(given: dict[str, Any]) -> None:
    """`InputError` before anything is said of what is given: it would be recorded, and repeated where it is refused."""
    for name in secrets_among(given):
        raise InputError(
            f"parameter {name} looks like a secret, and parameters are recorded: "
            "put it into conf/local/credentials.yml, or into an environment variable"
        )


def _plain(error: Exception) -> Exception:
    """Kedro's report of bad parameters in one sentence each, without its bookkeeping."""
    if not isinstance(error, ParameterValidationError):
        return error
    faults = [line.removeprefix("- Parameter '") for line in str(error).splitlines()[1:]]
    return InputError("; ".join(f"{fault.split(chr(39))[0]}: {fault.split(': ', 2)[-1]}" for fault in faults))
