import numpy as np
import pytest
import yaml
from making import PROJECT, ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import trial
from ae_pipelines.training.recipe import Recipe

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


def test_labels_that_look_like_numbers_may_be_given_as_numbers():
    recipe = Recipe.model_validate({"model": MODEL, "loader": {"normal_labels": [3, "b"]}})
    assert recipe.loader.normal_labels == ("3", "b")


def test_all_faults_are_reported_together():
    with pytest.raises(InputError, match=r"epochs: given 0.*learning_rate: given -1"):
        Recipe.model_validate({"model": MODEL, "training": {"epochs": 0, "learning_rate": -1}})


IMAGES = Task.plain(SampleSpec(shape=(3, 8, 8), dtype="uint8"), classes=("a", "b", "c"))
NUMBERS = Task.plain(SampleSpec(shape=(14,), dtype="float32"))
GREATER = {"kind": "autoencoder", "latent_size": 20, "net": {"kind": "dense", "widths": [16]}}


def of(model, **loader):
    return Recipe.model_validate({"model": model, "loader": loader})


@pytest.mark.parametrize(
    ("task", "recipe", "message"),
    [
        (NUMBERS, of(GREATER), "20 latents for samples of 14 values: autoencoder would learn to copy them"),
        (NUMBERS, of({"kind": "vae"}), "a bernoulli likelihood needs values in .0, 1."),
        (NUMBERS, of({"kind": "vae", "conditional": True, "likelihood": "gaussian"}), "the train samples have 0 diff"),
        (NUMBERS, of({"kind": "siamese"}), "siamese with model.pairs=labels needs labels of at least two classes"),
        (NUMBERS, of({"kind": "autoencoder", "loss": {"kind": "bce"}, "latent_size": 3}), "use mse for unbounded data"),
        (NUMBERS, of({"kind": "autoencoder", "loss": {"kind": "ssim"}, "latent_size": 3}), "ssim"),
        (NUMBERS, of({"kind": "autoencoder", "net": {"kind": "conv"}, "latent_size": 3}), "conv nets take images"),
        (IMAGES, of({"kind": "siamese", "pairs": "views"}), "two corrupted views of each sample, but .* is empty"),
        (IMAGES, of({"kind": "siamese", "unseen_classes": 2}), "cannot leave 2 classes unseen"),
        (IMAGES, of({"kind": "gan"}, corruptions=[{"kind": "masking"}]), "gan does not look at corrupted inputs"),
        (
            IMAGES,
            of({"kind": "autoencoder", "net": {"kind": "dense", "norm": "batch"}}, batch_size=1),
            "batch norm cannot learn from one value per channel",
        ),
        (
            IMAGES,
            of({"kind": "autoencoder", "penalties": [{"kind": "sparse_l1", "weight": w} for w in (0.1, 9)]}),
            "model.penalties has one kind twice: sparse_l1, sparse_l1",
        ),
        (
            IMAGES,
            of({"kind": "autoencoder", "loss": {"kind": "mix", "losses": [{"kind": "mse"}], "weights": [0]}}),
            "mix: all weights are 0",
        ),
        (IMAGES, of({"kind": "gan", "net": {"kind": "dense", "tied": True}}), "tied weights need"),
        (IMAGES, of({"kind": "vae", "net": {"kind": "conv", "latent": "map"}}), "vae needs latent vectors"),
        (
            IMAGES,
            of({"kind": "views"}, corruptions=[{"kind": "crop", "size": 6, "whole": "kept"}]),
            r"inputs of shape \(3, 6, 6\), and later of \(3, 8, 8\), but it does not take both",
        ),
        (
            IMAGES,
            of(
                {"kind": "joined", "parts": [{"kind": "patches", "projection": "invariant"}] * 2},
                corruptions=[{"kind": "crop", "size": 3, "whole": "kept"}],
            ),
            r"inputs of shape \(3, 3, 3\), and later of \(3, 8, 8\), but it does not take both",
        ),
    ],
)
def test_a_senseless_combination_is_refused_before_training(task, recipe, message):
    with pytest.raises(InputError, match=message):
        recipe.try_out(task)


@pytest.mark.parametrize(
    "recipe",
    [
        of(GREATER, corruptions=[{"kind": "masking"}]),
        of(GREATER | {"penalties": [{"kind": "sparse_l1", "weight": 0.1}]}),
        of(GREATER | {"net": {"kind": "dense", "dropout": 0.2}}),
        of(GREATER | {"latent_size": 13}),
    ],
)
def test_an_overcomplete_autoencoder_is_fine_if_something_keeps_it_from_copying(recipe):
    recipe.try_out(NUMBERS)


def test_the_task_follows_from_samples_and_corruptions(digits):
    recipe = of({"kind": "autoencoder"}, corruptions=[{"kind": "gaussian_noise"}, {"kind": "downscale", "factor": 4}])
    task = recipe.task(digits)
    assert task.input_shape == (1, 2, 2)
    assert task.samples == digits.spec
    assert task.classes == tuple("0123456789")


def test_only_bounded_samples_can_be_binarised(tmp_path):
    store = write_store(tmp_path, ArraySource(np.random.rand(60, 14).astype(np.float32)))
    with pytest.raises(InputError, match="binarise needs images"):
        of({"kind": "autoencoder", "latent_size": 3}, binarise=True).task(store)


def recipe_of(name):
    return Recipe.model_validate(
        yaml.safe_load((PROJECT / f"conf/base/parameters/recipes/{name}.yml").read_text())["recipes"][name]
    )


FLAT, PIXELS = "does not know which pixels are neighbours", "only reproduced pixel by pixel"


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("dense", (3, 32, 32), FLAT),
        ("dense", (1, 29, 16), FLAT),
        ("vae", (3, 16, 16), FLAT),
        ("dense", (1, 28, 28), None),
        ("conv", (3, 32, 32), PIXELS),
        ("conv", (1, 28, 28), None),
        ("probe", (3, 32, 32), None),
        ("denoise_photos", (3, 32, 32), None),
    ],
)
def test_photos_through_a_method_for_drawings_are_warned_about_with_a_recipe_that_suits_them(name, shape, said):
    recipe, samples = recipe_of(name), SampleSpec(shape=shape, dtype="uint8")
    task = Task(samples=samples, input_shape=shape, classes=())
    found = trial.caution(recipe.model, recipe.loader, recipe.try_out(task), samples)
    assert (found is None) if said is None else (said in found and trial.FOR_CONTENT in found)


def test_rows_of_numbers_are_no_photos():
    samples = SampleSpec(shape=(500,), dtype="float32")
    recipe = recipe_of("dense")
    model = recipe.try_out(Task(samples=samples, input_shape=(500,), classes=()))
    assert trial.caution(recipe.model, recipe.loader, model, samples) is None


@pytest.mark.parametrize("given", [trial.FOR_PIXELS, trial.FOR_CONTENT])
def test_recipes_that_are_named_for_photos_are_there_and_suit_them(given):
    recipe, samples = recipe_of(given.removeprefix("recipe=")), SampleSpec(shape=(3, 64, 64), dtype="uint8")
    model = recipe.try_out(Task(samples=samples, input_shape=samples.shape, classes=()))
    assert FLAT not in (trial.caution(recipe.model, recipe.loader, model, samples) or "")


def test_the_warning_is_given_when_samples_are_checked(tmp_path, caplog):
    photos = np.random.default_rng(0).integers(256, size=(800, 3, 8, 8), dtype=np.uint8)
    recipe = Recipe.model_validate({"name": "mine", "model": MODEL, "loader": {"batch_size": 8}})
    recipe.check_samples(write_store(tmp_path, ArraySource(photos)))
    (said,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert said.startswith("mine: images of 8 x 8 in colour go through a net")


@pytest.mark.parametrize(("pixels", "warned"), [(32, False), (30, False), (8, True), (96, True)])
def test_crops_of_quite_another_size_than_whole_images_are_cautioned_against(pixels, warned):
    samples = SampleSpec(shape=(3, pixels, pixels), dtype="uint8")
    net = {"kind": "resnet", "widths": [4], "head": 8, "last": "none"}
    crop = {"kind": "crop", "size": 24, "whole": "kept"}
    recipe = Recipe(model={"kind": "views", "latent_size": 8, "net": net}, loader={"corruptions": [crop]})
    said = trial.caution(recipe.model, recipe.loader, recipe.try_out(Task.plain(samples)), samples)
    assert (said is not None and f"size near {round(0.75 * pixels)}" in said) == warned
