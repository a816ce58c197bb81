import numpy as np
import pytest
import yaml
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.photos import Photos
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import suits
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.suits import FEW, RECIPES, Suits, looks_like, suiting

RANDOM = np.random.default_rng(0)
OF_TABLE = {"treatments": [{"column": "age"}]}


def images(channels, size, ground):
    """Noise in the middle, as wide as leaves this share of plain ground."""
    made = np.full((20, channels, size, size), 200, np.uint8)
    width = round(size * (1 - ground) ** 0.5)
    first = (size - width) // 2
    made[..., first : first + width, first : first + width] = RANDOM.integers(0, 256, (20, channels, width, width))
    return made


def waves(rows, length):
    return np.sin(np.arange(length) / 5 + RANDOM.uniform(0, 6, (rows, 1))).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "preprocessing", "kind"),
    [
        (images(1, 28, 0.8), {}, "glyphs"),
        (images(3, 96, 0.8), {}, "glyphs"),
        (images(1, 28, 0.0), {}, "photos"),
        (images(3, 32, 0.1), {}, "photos"),
        (RANDOM.normal(size=(50, 20)), OF_TABLE, "table"),
        (waves(50, 64), {}, "series"),
        (waves(50, 64)[:, RANDOM.permutation(64)], {}, "vectors"),
        (RANDOM.normal(size=(50, 20)), {}, "vectors"),
        (np.ones((50, 20)), {}, "vectors"),
    ],
)
def test_samples_are_told_apart_by_their_values(values, preprocessing, kind):
    values = values if values.dtype == np.uint8 else values.astype(np.float32)
    spec = SampleSpec(shape=values.shape[1:], dtype=str(values.dtype), preprocessing=preprocessing)
    assert looks_like(spec, values) == kind


def test_the_line_tells_what_samples_are_and_what_suits_them(digits, tmp_path):
    assert str(suiting(digits)) == "glyphs, 1,797 of 8 x 8 in grey, 10 classes (all labelled): recipe=probe suits them"
    found = suiting(write_store(tmp_path / "photos", Photos()))
    assert found.kind == "photos"
    assert " of 32 x 32 in colour, 2 classes (all labelled)" in found.seen


class Vectors:
    """Numbers without a class, a few of them."""

    name = "vectors"

    def __init__(self, rows, *shape):
        self.values = RANDOM.normal(size=(rows, *shape)).astype(np.float32)

    def spec(self):
        return SampleSpec(shape=self.values.shape[1:], dtype="float32")

    def count(self):
        return len(self.values)

    def blocks(self):
        from ae_pipelines.samples.source import Block

        yield Block(self.values, [f"{row}" for row in range(len(self.values))])


def test_latents_are_fewer_than_features_and_batches_smaller_than_the_samples(tmp_path):
    few = suiting(write_store(tmp_path / "few", Vectors(40, 6)))
    assert few.changes["model"] == {"latent_size": 3}
    assert "recipe.model.latent_size=3,recipe.loader.batch_size=10" in str(few)
    many = suiting(write_store(tmp_path / "many", Vectors(FEW, 100)))
    assert many.changes == {"model": {"latent_size": 32}}


def test_photos_without_bounds_get_a_recipe_that_takes_them(tmp_path):
    samples = write_store(tmp_path / "floats", Vectors(20, 3, 8, 8))
    found = suiting(samples)
    assert found.kind == "photos"
    path = PROJECT / f"conf/base/parameters/recipes/{found.recipe}.yml"
    Recipe.model_validate(yaml.safe_load(path.read_text())["recipes"][found.recipe]).task(samples)


def test_few_of_large_images_are_looked_at(tmp_path, monkeypatch):
    samples, looked_at = write_store(tmp_path / "large", Vectors(40, 1, 8, 8)), []
    monkeypatch.setattr(suits, "MOST_VALUES", 5 * 64)
    monkeypatch.setattr(suits, "looks_like", lambda spec, values: looked_at.append(len(values)) or "photos")
    suiting(samples)
    assert looked_at == [5]


def test_what_suits_is_said_as_it_is_typed():
    found = Suits("table", "a table", "dense", {"model": {"latent_size": 8}})
    assert str(found) == "a table: recipe=dense,recipe.model.latent_size=8 suits them"


@pytest.mark.parametrize("name", sorted(set(RECIPES.values())))
def test_the_recipes_are_there(name):
    assert (PROJECT / f"conf/base/parameters/recipes/{name}.yml").exists()


def test_a_recipe_that_is_undecided_is_for_one_training_only():
    with pytest.raises(InputError, match="recipe=auto is for one training"):
        Recipe.model_validate({"name": "auto", "model": {"kind": "autoencoder"}}).check()
