import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.words import Words
from ae_pipelines.models.corruptions import corrupted_spec
from ae_pipelines.models.corruptions.augmentations import AUGMENTATIONS
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.options import LoaderOptions
from ae_pipelines.training.recipe import Recipe

OF_IMAGES = ["photos", "objects", "glyphs"]


def recipe(**loader):
    return Recipe.model_validate({"model": {"kind": "autoencoder"}, "loader": loader})


def kinds(options):
    return [choice.kind for choice in options.corruptions]


def test_a_set_comes_before_what_is_given_beside_it():
    given = LoaderOptions.model_validate({"augment": "photos", "corruptions": [{"kind": "masking"}]})
    assert kinds(given) == ["crop", "colours", "masking"]
    assert kinds(LoaderOptions(augment=Words("glyphs"))) == ["affine"]


@pytest.mark.parametrize("nothing", [None, "none", Words("none")])
def test_no_set_is_no_corruption(nothing):
    assert LoaderOptions(augment=nothing) == LoaderOptions()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_recipe_with_a_set_is_that_with_its_corruptions(name):
    short, long = recipe(augment=name), recipe(corruptions=AUGMENTATIONS[name])
    assert short == long
    plain = short.model_dump(mode="json")
    assert plain == long.model_dump(mode="json")
    assert kinds(Recipe.model_validate(plain).loader) == kinds(short.loader), "it was spelled out twice"


def test_an_unknown_set_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"loader: no augmentation called 'foto'; known: .*Did you mean 'photos'\?"):
        recipe(augment="foto")


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_sets_for_images_keep_their_shape(name, channels):
    recipe(augment=name).check()
    clean = SampleSpec(shape=(channels, 28, 30), dtype="uint8")
    assert corrupted_spec([choice.build() for choice in LoaderOptions(augment=name).corruptions], clean) == clean


@pytest.mark.parametrize("name", ["series", "table"])
def test_sets_for_rows_of_numbers_take_them_without_bounds(name):
    clean = SampleSpec(shape=(13,), dtype="float32")
    assert corrupted_spec([choice.build() for choice in LoaderOptions(augment=name).corruptions], clean) == clean
