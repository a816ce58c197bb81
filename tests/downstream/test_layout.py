"""Where samples lie among their neighbours, and a training that is told."""

import numpy as np
import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import layout as layouts
from ae_pipelines.downstream.layout import LayoutOptions
from ae_pipelines.downstream.nearest import Index, vote
from ae_pipelines.latents.pca import pca_stream
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.training import loaders, loop
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.resuming import fingerprint

OPTIONS = LayoutOptions(components=3, neighbours=10, principal_components=20)
LEARNED_FROM = LearnedFrom(validation_share=0.1)


@pytest.fixture(scope="module")
def layout(digits):
    return layouts.layout(digits, LEARNED_FROM, OPTIONS, seed=0)


def test_coordinates_are_centred_and_have_one_unit_of_spread(layout, digits):
    seen = digits.seen(LEARNED_FROM)
    assert layout.shape == (len(digits), 3)
    assert layout.dtype == np.float32
    np.testing.assert_allclose(layout[seen].mean(axis=0), 0, atol=1e-5)
    assert layout[seen].std() == pytest.approx(1, abs=1e-5)


def test_samples_that_the_layout_has_not_seen_are_placed_among_their_class(layout, digits):
    classes = digits.label_numbers(digits.classes())
    seen = digits.seen(LEARNED_FROM)
    _, nearest = Index(layout[seen]).nearest(layout[~seen], 5)
    found = vote(nearest, classes[seen]).argmax(axis=1)
    assert (found == classes[~seen]).mean() > 0.95


def test_a_layout_of_many_samples_is_that_of_some_and_the_others_are_placed(digits, monkeypatch):
    monkeypatch.setattr(layouts, "MOST_ROWS", 300)
    coordinates = layouts.layout(digits, LEARNED_FROM, OPTIONS, seed=0)
    assert np.isfinite(coordinates).all()
    assert len(np.unique(coordinates, axis=0)) > 1000


def of_neighbourhoods(recipe: Recipe, epochs: int) -> Recipe:
    penalty = {"kind": "neighbourhood", "weight": 0.1, "components": 4}
    model = recipe.model.model_dump() | {"penalties": [penalty]}
    options = recipe.training.model_dump() | {"epochs": epochs, "checkpoint_seconds": 0}
    return Recipe.model_validate(recipe.model_dump() | {"model": model, "training": options})


def test_an_interrupted_training_makes_no_second_layout_and_ends_at_the_same_bits(
    digits, recipe, tmp_path, monkeypatch
):
    recipe = of_neighbourhoods(recipe, epochs=2)
    undisturbed, _ = loop.train(digits, recipe, CheckpointFile(tmp_path / "whole/training.checkpoint"))

    def killed(*_, **__):
        raise KeyboardInterrupt

    checkpoint = CheckpointFile(tmp_path / "cut/training.checkpoint")
    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_end_epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            loop.train(digits, recipe, checkpoint)
    monkeypatch.setattr("ae_pipelines.training.loaders.layout", killed)
    again, history = loop.train(digits, recipe, checkpoint)
    assert "train/autoencoder/neighbourhood" in history[0]
    assert "validation/autoencoder/neighbourhood" in history[0]
    for one, other in zip(undisturbed.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_latents_come_to_where_the_layout_has_them(digits, recipe):
    recipe = of_neighbourhoods(recipe, epochs=15)
    trained, history = loop.train(digits, recipe)
    first, last = (history[place]["validation/autoencoder/neighbourhood"] for place in (0, -1))
    assert last < 0.3 * first
    found = trained.encode(digits.read())[:, :4]
    penalty = recipe.model.build(recipe.task(digits)).wants_layout
    wanted = layouts.layout(digits, recipe.learned_from(digits), penalty, seed=recipe.training.seed)
    assert np.square(found - wanted).mean() < 0.3


def test_latents_of_another_encoder_in_the_same_file_are_laid_out_anew(digits, recipe, tmp_path):
    path = tmp_path / "latents.parquet"
    checkpoint = CheckpointFile(tmp_path / "training.checkpoint")

    def made_by(seed):
        write_latents(path, pca_stream(digits, 6, seed=seed))
        plain = of_neighbourhoods(recipe, epochs=1).model_dump()
        plain["model"]["penalties"][0]["latents"] = path
        wanting = Recipe.model_validate(plain)
        model = wanting.model.build(wanting.task(digits))
        training, _ = loaders.loaders(digits, wanting, model, torch.device("cpu"), checkpoint)
        batch = next(training.epoch(0))
        return fingerprint(digits, wanting, model, torch.device("cpu")), batch.layout[batch.rows.argsort()]

    first, again, other = made_by(0), made_by(0), made_by(1)
    assert first[0] == again[0] != other[0]
    assert torch.equal(first[1], again[1])


def test_latents_of_other_samples_are_refused(digits, tmp_path):
    stream = pca_stream(digits, 6)
    stream.metadata["samples_id"] = "another"
    write_latents(tmp_path / "latents.parquet", stream)
    options = OPTIONS.model_copy(update={"latents": tmp_path / "latents.parquet"})
    with pytest.raises(InputError, match="the latents were made from the samples another"):
        layouts.layout(digits, LEARNED_FROM, options, seed=0)
