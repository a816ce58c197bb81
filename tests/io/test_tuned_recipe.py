"""Tuned recipes as files: picked by name, and replaced only where nobody has changed them."""

from pathlib import Path

import pytest
import yaml
from making import PROJECT

from ae_pipelines.base.skipped import NotAskedFor
from ae_pipelines.io.tuned_recipe import TunedRecipe, TunedRecipeDataset
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.settings import CONFIG_LOADER_ARGS
from ae_pipelines.training.recipe import Recipe


def tuned(name="small", size=3, **more):
    model = {"kind": "autoencoder", "latent_size": size, "net": {"kind": "dense", "widths": [8, 4]}}
    recipe = Recipe.model_validate({"name": name, "model": model, "training": {"learning_rate": 2e-5}} | more)
    return TunedRecipe(name, recipe, ["found by\na study"])


def saved(folder, *recipes):
    dataset = TunedRecipeDataset(filepath=str(folder))
    for recipe in recipes:
        dataset.save(recipe)
    return dataset._filepath


@pytest.mark.parametrize("name", ["small", "it's: mine/ours #2", "größe"])
def test_a_tuned_recipe_is_picked_by_its_name_in_the_next_run(tmp_path, name):
    (tmp_path / "base").symlink_to(PROJECT / "conf/base")
    wanted = tuned(name, loader={"corruptions": [{"kind": "watermark", "text": "${a}"}]})
    path = saved(tmp_path / "local/parameters/recipes", wanted)
    given = {"recipe": f"{name}_tuned"}
    loader = ConfigLoader(str(tmp_path), env="local", runtime_params=given, **CONFIG_LOADER_ARGS)
    found = Recipe.model_validate(loader["parameters"]["recipe"])
    assert found.model_copy(update={"name": name}) == wanted.recipe
    assert path.parent == tmp_path / "local/parameters/recipes"
    said = path.read_text()
    assert "# found by a study\n" in said
    assert "widths: [8, 4]" in said
    assert "batch_size" not in said, "defaults are left out"


def test_what_tune_wrote_is_replaced_as_long_as_nobody_has_changed_it(tmp_path):
    first = saved(tmp_path, tuned(size=3), tuned(size=4))
    assert first == tmp_path / "small_tuned.yml"
    assert yaml.safe_load(first.read_text())["recipes"]["small_tuned"]["model"]["latent_size"] == 4
    mine = first.read_text().replace("latent_size: 4", "latent_size: 5")
    first.write_text(mine)
    second = saved(tmp_path, tuned(size=6), tuned(size=7))
    assert first.read_text() == mine
    assert second == tmp_path / "small_tuned_2.yml"
    assert yaml.safe_load(second.read_text())["recipes"]["small_tuned_2"]["model"]["latent_size"] == 7
    assert "recipe=small_tuned_2" in second.read_text()


@pytest.mark.parametrize("text", ["", "recipes: {small_tuned: {}}", "# a note\n\xff"])
def test_a_file_of_another_hand_stays(tmp_path, text):
    path = tmp_path / "small_tuned.yml"
    path.write_bytes(text.encode("latin-1"))
    assert saved(tmp_path, tuned()).name == "small_tuned_2.yml"
    assert path.read_bytes() == text.encode("latin-1")


def test_recipes_whose_names_make_the_same_file_do_not_replace_one_another(tmp_path):
    assert saved(tmp_path, tuned("a b"), tuned("a_b")).name == "a_b_tuned_2.yml"
    assert {path.name for path in Path(tmp_path).iterdir()} == {"a_b_tuned.yml", "a_b_tuned_2.yml"}


def test_where_the_recipe_as_it_was_is_best_nothing_is_written(tmp_path):
    assert saved(tmp_path, tuned(), NotAskedFor("it is best")) == tmp_path / "small_tuned.yml"
    assert saved(tmp_path / "other", NotAskedFor("it is best")) is None
    assert not (tmp_path / "other").exists()
