import pytest
import yaml
from making import PROJECT

from ae_pipelines.errors import InputError
from ae_pipelines.recipe import Recipe

RECIPES = sorted((PROJECT / "conf/base/parameters/recipes").glob("*.yml"))
MODEL = {"kind": "autoencoder"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_file_holds_one_recipe_of_its_own_name_that_fits_its_parts(path):
    recipes = yaml.safe_load(path.read_text())["recipes"]
    assert list(recipes) == [path.stem]
    Recipe.model_validate(recipes[path.stem]).check()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": MODEL, "training": {"epochs": -1}}, r"training\.epochs: given -1, but .*greater than 0"),
        ({"model": MODEL, "training": {"epoch": 3}}, r"training\.epoch: no such option; .*Did you mean 'epochs'"),
        ({"model": MODEL, "trainin": {}}, r"trainin: no such option; .*Did you mean 'training'"),
        ({}, "model: not given, but required"),
        ({"model": MODEL, "loader": {"batch_size": "many"}}, r"loader\.batch_size: given 'many'"),
    ],
)
def test_a_bad_recipe_is_refused_with_place_value_and_expectation(given, message):
    with pytest.raises(InputError, match=message):
        Recipe.model_validate(given)


def test_all_faults_are_reported_together():
    with pytest.raises(InputError, match=r"epochs: given 0.*learning_rate: given -1"):
        Recipe.model_validate({"model": MODEL, "training": {"epochs": 0, "learning_rate": -1}})
