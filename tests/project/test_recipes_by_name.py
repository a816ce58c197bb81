"""A run reads the recipe that it picks; what it finds is as if all had been read."""

import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.project import configuration
from ae_pipelines.project.typed import typed
from ae_pipelines.settings import CONFIG_LOADER_ARGS


@pytest.fixture
def loader(tmp_path):
    def load(text="", **local):
        files = {
            "base/globals.yml": "recipe: small\nsource: here\ndata_dir: d\nraw_dir: r\nrecipes_dir: c\nmodel_name: m",
            "base/parameters.yml": "scoreboard: {}",
            "base/catalog.yml": "sources: {here: {path: a}, there: {path: b}}",
            "base/parameters/recipes/small.yml": "recipes: {small: {source: there, training: {epochs: 1, seed: 3}}}",
            "base/parameters/recipes/large.yml": "recipes: {large: {training: {epochs: 9}}}",
        } | {f"local/{name}": content for name, content in local.items()}
        (tmp_path / "local").mkdir()
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return configuration.ConfigLoader(str(tmp_path), runtime_params=typed(text), **CONFIG_LOADER_ARGS)

    return load


def test_a_recipe_that_is_not_picked_is_not_read(loader, tmp_path):
    small = loader()
    (tmp_path / "base/parameters/recipes/large.yml").write_text("recipes: {large: [")
    assert small["parameters"]["recipe"] == {"source": "there", "training": {"epochs": 1, "seed": 3}, "name": "small"}
    assert small["catalog"]["source"] == {"path": "b"}


def test_an_environment_changes_a_recipe_of_the_base_from_a_file_of_any_name(loader):
    changed = loader(**{"parameters/recipes/mine.yml": "recipes: {small: {training: {epochs: 5}}, own: {}}"})
    assert changed["parameters"]["recipe"]["training"] == {"epochs": 5, "seed": 3}


def test_a_recipe_in_a_file_of_another_name_is_found(loader):
    own = loader("recipe=own", **{"parameters/recipes/mine.yml": "recipes: {own: {training: {epochs: 7}}}"})
    assert own["parameters"]["recipe"]["training"] == {"epochs": 7}


def test_recipes_that_were_not_picked_are_read_when_they_are_asked_for(loader):
    some = loader("scoreboard.recipes=[small,large]")
    assert some["parameters"]["scoreboard"]["recipes"]["large"]["recipe"]["training"] == {"epochs": 9}
    assert some.recipe_called("large", {"training": {"seed": 1}})["training"] == {"epochs": 9, "seed": 1}


def test_a_mistyped_recipe_is_refused_with_the_nearest_of_all(loader):
    with pytest.raises(InputError, match="no recipe called 'larg'.*large"):
        loader("recipe=larg")["parameters"]


def test_the_recipe_that_suits_is_yet_to_be_found(loader):
    assert loader("recipe=auto,recipe.training.epochs=2")["parameters"]["recipe"]["training"] == {
        "epochs": "2"
    }  # as typed
