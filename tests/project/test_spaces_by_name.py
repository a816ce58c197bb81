"""Search spaces by name, as far as the options of a run."""

import pytest
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.comparison.scoreboard.board import ScoreboardOptions
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.project.spaces_by_name import default_space, with_grid, with_space
from ae_pipelines.project.typed import typed
from ae_pipelines.settings import CONFIG_LOADER_ARGS
from ae_pipelines.tracking.parameters import recorded
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions

FIELDS = {"model.latent_size": {"choices": [2, 4]}}
SPACES = dict.fromkeys(("mine", "autoencoder_conv", "autoencoder", "training"), FIELDS)


def loaded(text, conf=PROJECT / "conf"):
    return ConfigLoader(str(conf), runtime_params=typed(text), **CONFIG_LOADER_ARGS)["parameters"]


def test_what_is_typed_for_a_study_is_read_by_its_fields():
    text = "recipe=dense,tune.space=course,tune.trials=40,tune.objective=[overlap,seconds],tune.minutes=15"
    parameters = loaded(text)
    options = TuneOptions.model_validate(parameters["tune"])
    assert (options.trials, options.minutes, options.objective) == (40, 15.0, ["overlap", "seconds"])
    assert options.space.name == "course"
    assert "model.latent_size" in options.space.fields
    assert "spaces" not in parameters
    options.space.check_recipe(Recipe.model_validate(parameters["recipe"]))


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        ({"name": "mine", "model": {"kind": "vae"}}, "mine"),
        ({"name": "mine_tuned", "model": {"kind": "autoencoder", "net": {"kind": "conv"}}}, "autoencoder_conv"),
        ({"name": "x", "model": {"kind": "autoencoder", "net": {"kind": "resnet"}}}, "autoencoder"),
        ({"name": "x", "model": {"kind": "autoencoder"}}, "autoencoder"),
        ({"name": "x", "model": {"kind": "patches"}}, "training"),
    ],
)
def test_without_a_name_it_is_the_space_of_the_recipe_or_of_its_method(recipe, name):
    assert default_space(SPACES, recipe) == name
    assert with_space({"trials": 3}, SPACES, recipe) == {"trials": 3, "space": {"name": name, "fields": FIELDS}}


def test_a_space_may_be_given_whole():
    given = typed("tune.space.fields={model.latent_size: {low: 2, high: 8}}")["tune"]
    options = TuneOptions.model_validate(with_space(given, SPACES, {"name": "mine"}))
    assert [*options.space.fields] == ["model.latent_size"]
    assert options.space.fields["model.latent_size"].high == 8
    assert with_space({"space": {"name": "mine"}}, SPACES, {})["space"]["fields"] == FIELDS


def test_a_recipe_that_is_yet_to_be_found_has_no_space():
    assert with_space({"trials": 3}, SPACES, {"name": "auto", "model": {"kind": "autoencoder"}}) == {"trials": 3}


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"tune.space: no space called 'mien'; known: .*Did you mean 'mine'\?"):
        with_space({"space": "mien"}, SPACES, {})


def test_a_space_of_ones_own_lies_beside_those_of_the_project(tmp_path):
    for name in ("base", "local"):
        (tmp_path / name / "parameters").mkdir(parents=True)
    (tmp_path / "base/globals.yml").write_text("{source: digits, recipe: small, data_dir: data, raw_dir: raw}")
    (tmp_path / "base/parameters.yml").write_text("tune: {}\nrecipes: {small: {model: {kind: autoencoder}}}")
    (tmp_path / "local/parameters/spaces").mkdir()
    own = tmp_path / "local/parameters/spaces/mine.yml"
    own.write_text("spaces: {mine: {model.latent_size: {choices: [2, 4]}}}")
    assert loaded("tune.space=mine", tmp_path)["tune"]["space"] == {"name": "mine", "fields": FIELDS}
    own.write_text("mine: {model.latent_size: {choices: [2, 4]}}")
    with pytest.raises(InputError, match="parameters/spaces/mine.yml has no space 'mine'"):
        loaded("tune.space=mine", tmp_path)


def test_the_scoreboard_has_an_entry_for_each_combination_of_a_space():
    parameters = loaded("recipe=course,recipe.training.epochs=3,scoreboard.space=latent_size,scoreboard.controls=false")
    options = ScoreboardOptions.model_validate(parameters["scoreboard"])
    assert [*options.recipes] == [f"course latent_size {size}" for size in (2, 4, 8, 16, 32, 64)]
    recipes = [entry.recipe for entry in options.recipes.values()]
    assert [recipe.model.model_dump()["latent_size"] for recipe in recipes] == [2, 4, 8, 16, 32, 64]
    assert {recipe.training.epochs for recipe in recipes} == {3}
    assert not options.controls
    options.check()


def test_a_grid_that_does_not_fit_the_recipe_or_is_large_is_refused():
    recipe = {"name": "x", "model": {"kind": "autoencoder"}}
    with pytest.raises(InputError, match="give one of them"):
        with_grid({"space": "mine", "recipes": ["x"]}, SPACES, recipe)
    with pytest.raises(InputError, match="restorer. has no field 'latent_size'"):
        with_grid({"space": "mine"}, SPACES, {"name": "x", "model": {"kind": "restorer"}})
    fields = {"training.epochs": {"low": 1, "high": 201, "step": 1}}
    with pytest.raises(InputError, match="up to 201 combinations, at most 200"):
        with_grid({"space": {"fields": fields}}, SPACES, recipe)
    named = {"training.epochs": {"choices": {"a+": 1, "a*": 2}}}
    with pytest.raises(InputError, match="two entries would be called 'x epochs a_'"):
        with_grid({"space": {"fields": named}}, SPACES, recipe)


def test_choices_with_any_name_are_parameters_that_mlflow_takes():
    given = {"tune": {"choices": {"a, b*": 1}, "classify/knn": 2}}
    assert recorded(given) == {"tune.choices.a_ b_": "1", "tune.classify/knn": "2"}
