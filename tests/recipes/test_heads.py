from pathlib import Path

import pytest
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.recipes.heads import Head, heads, parsed
from ae_pipelines.recipes.listing import GROUPS
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.recipe import Recipe

HEADS = heads(PROJECT / "conf", "test")
IMAGES = SampleSpec(shape=(3, 32, 32), dtype="uint8")
NUMBERS = SampleSpec(shape=(1200,), dtype="float32")


@pytest.fixture(scope="module")
def recipes():
    loader = ConfigLoader(str(PROJECT / "conf"), "test", base_env="base", default_run_env="local")
    loader["parameters"]
    return {name: Recipe.model_validate(loader.recipe_called(name, {})) for name in loader._recipes}


def test_all_recipes_that_a_run_would_find_are_found(recipes):
    assert [head.name for head in HEADS] == sorted(recipes)


def fits(recipe, samples, classes=()):
    try:
        recipe.model.build(recipe.task_for(samples, classes))
    except InputError:
        return False
    return True


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_what_a_head_says_of_its_recipe_is_so(head, recipes):
    recipe = recipes[head.name]
    assert head.purpose
    assert head.group in GROUPS
    assert head.minutes is not None
    assert head.data in ("any", "images", "photos", "tables")
    if head.data != "images" or fits(recipe, NUMBERS):  # a likelihood for images need not refuse numbers
        assert fits(recipe, NUMBERS, tuple("ab")) == (head.data == "any")
    classes = tuple("0123456789")
    assert fits(recipe, IMAGES, classes)
    learns_from_labels = not fits(recipe, IMAGES) or "normal_labels" in head.purpose
    assert ("labels" in head.needs) == learns_from_labels
    missing = {half for half in ("encoder", "decoder") if not recipe.model.can(half[:-1])}
    assert missing == ({"encoder", "decoder"} if head.lacks == ["latents"] else {*head.lacks})
    assert ("package" in head.needs) == recipe.model.starts_elsewhere


def test_prose_scores_and_facts_are_told_apart():
    found = parsed(
        "New images (Radford et al. 2016): of 8 x 8 pixels. Never\n"
        "more. Digits: probe 0.940 (PCA: 0.953).\n"
        "CIFAR-10 (20,000 train images), three seeds: error ÷ 1.3,\n"
        "PSNR 28.2 dB.\n"
        "Group: new samples. Data: images. Needs: labels, package. Lacks: encoder. Minutes: 0.5.",
        Head("one", Path("one.yml"), False, ""),
    )
    assert found.purpose == "New images (Radford et al. 2016): of 8 x 8 pixels. Never more."
    assert found.scores == [
        "Digits: probe 0.940 (PCA: 0.953).",
        "CIFAR-10 (20,000 train images), three seeds: error ÷ 1.3, PSNR 28.2 dB.",
    ]
    assert (found.group, found.data, found.minutes) == ("new samples", "images", 0.5)
    assert (found.needs, found.lacks) == (["labels", "package"], ["encoder"])


def test_what_a_file_without_a_comment_changes_keeps_what_was_said(tmp_path):
    base, local = tmp_path / "base/parameters", tmp_path / "local/parameters"
    for folder in (base, local):
        folder.mkdir(parents=True)
    (base / "a.yml").write_text("# Small. MNIST: probe 0.9.\nrecipes: {a: {training: {steps: 6000}}}\n")
    (local / "a.yml").write_text("recipes: {a: {training: {steps: 5}}}\n")
    (local / "b.yml").write_text("# Mine.\nrecipes: {b: {training: {epochs: 4}}}\n")
    ours, mine = heads(tmp_path, "local")
    assert (ours.name, ours.purpose, ours.scores, ours.own) == ("a", "Small.", ["MNIST: probe 0.9."], False)
    assert (mine.name, mine.purpose, mine.length, mine.own) == ("b", "Mine.", "4 epochs", True)


def test_a_broken_file_is_refused_by_its_name(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/parameters.yml").write_text("recipes: [")
    with pytest.raises(InputError, match=r"parameters\.yml is no YAML"):
        heads(tmp_path, "local")
