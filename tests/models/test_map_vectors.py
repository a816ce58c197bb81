"""Feature maps become vectors by their principal components."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ae_pipelines.models import ModelChoice, map_vectors, weights
from ae_pipelines.models.map_vectors import MapVectors, unlearned
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.embedding import latent_stream
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

MODEL = {
    "kind": "autoencoder",
    "latent_size": 5,
    "vector_size": 7,
    "net": {"kind": "conv", "channels": [4, 6], "latent": "map"},
}
NOISE = {"corruptions": [{"kind": "gaussian_noise", "noise_level": 0.3}]}


def recipe(training=(), **model):
    training = {"epochs": 1, "threads": 1, **dict(training)}
    return Recipe.model_validate({"model": MODEL | model, "loader": NOISE, "training": training})


@pytest.fixture(scope="module")
def maps():
    """Correlated, so that directions have variances of their own."""
    draw = torch.Generator().manual_seed(0)
    mixed = torch.randn(300, 18, generator=draw) @ torch.randn(18, 18, generator=draw)
    return (mixed + 5).reshape(300, 2, 3, 3)


@pytest.fixture(scope="module")
def trained(digits):
    return train(digits, recipe())[0]


def by_svd(rows, size):
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    directions = directions[:size].T
    largest = directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])]
    return (rows - rows.mean(axis=0)) @ (directions * np.sign(largest))


def test_vectors_are_the_principal_components_that_numpy_finds(maps):
    pooled = MapVectors(6)
    pooled.learn(maps.split(70))
    np.testing.assert_allclose(pooled.vectors(maps), by_svd(maps.flatten(1).double().numpy(), 6), atol=2e-3)


def test_the_next_map_of_too_many_values_is_averaged_first(maps, monkeypatch):
    monkeypatch.setattr(map_vectors, "MOST_FEATURES", 17)
    pooled = MapVectors(100)
    pooled.learn(maps.split(300))
    corners = [maps[:, :, :2, :2], maps[:, :, :2, 2:], maps[:, :, 2:, :2], maps[:, :, 2:, 2:]]
    means = torch.stack([corner.mean((2, 3)) for corner in corners], dim=2).flatten(1)
    np.testing.assert_allclose(pooled.vectors(maps), by_svd(means.double().numpy(), 8), atol=2e-3)
    monkeypatch.undo()  # what was learned says by itself what is averaged
    assert pooled.vectors(maps).shape == (300, 8)


def test_no_more_samples_are_looked_at_than_are_needed(maps, monkeypatch):
    monkeypatch.setattr(map_vectors, "MOST_SAMPLES", 100)
    some, first = MapVectors(4), MapVectors(9)
    some.learn(maps.split(50))
    first.learn([maps[:50], maps[50:100]])
    torch.testing.assert_close(some.vectors(maps), first.vectors(maps)[:, :4], atol=1e-3, rtol=1e-4)
    few = MapVectors(9)
    few.learn([maps[:3]])
    assert few.vectors(maps).shape == (300, 3)


def test_they_are_learned_from_clean_train_samples_and_are_in_the_contract(trained, digits, tmp_path):
    spec = trained.contract.samples
    values = digits.take(digits.positions("train"))
    x = torch.from_numpy(spec.as_input(values))
    with torch.no_grad():
        z = trained.module.encode(x)
    own = trained.encode(values)
    assert own.shape[1] == trained.contract.latent_size == 7
    assert trained.contract.latent_shape == (5, 2, 2)
    expected = by_svd(z.flatten(1).double().numpy(), 7)
    # A share of the train split is held out, so directions differ a little.
    correlation = [abs(np.corrcoef(a, b)[0, 1]) for a, b in zip(own.T[:3], expected.T[:3], strict=True)]
    assert min(correlation) > 0.99
    trained.part("encoder").save(tmp_path)
    loaded = TrainedModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(digits.read()), trained.encode(digits.read()))
    assert latent_stream(loaded, digits, errors=False).metadata["latent"] == (
        "7 principal components of a latent feature map of 5 x 2 x 2"
    )


def test_a_model_from_before_gives_means_over_positions_as_it_did(trained, digits, tmp_path):
    model = {name: value for name, value in trained.contract.model.items() if name != "vector_size"}
    before = trained.contract.model_copy(update={"vector_size": None, "model": model})
    tensors = unlearned(trained.module.state_dict())
    assert len(tensors) == len(trained.module.state_dict()) - 2
    text = json.loads(weights.sealed(before, tensors).model_dump_json())
    del text["vector_size"]
    save_file(weights.copies(tensors), tmp_path / weights.WEIGHTS, metadata={"contract": json.dumps(text)})
    old = TrainedModel.load(tmp_path)
    values = digits.read()[:40]
    with torch.no_grad():
        means = old.module.encode(torch.from_numpy(old.contract.samples.as_input(values))).mean((2, 3))
    np.testing.assert_allclose(old.encode(values), means, atol=1e-6)
    assert old.contract.latent_size == 5
    assert latent_stream(old, digits).metadata["latent"] == "the mean over a latent feature map of 2 x 2"


def test_a_training_taken_up_after_its_end_has_the_same_vectors(digits, tmp_path, trained):
    values, file = digits.read()[:40], CheckpointFile(tmp_path / "checkpoint")
    for _ in range(2):
        np.testing.assert_array_equal(train(digits, recipe(), file)[0].encode(values), trained.encode(values))


@pytest.mark.parametrize("frozen", [True, False])
def test_an_encoder_to_start_from_keeps_its_directions_if_it_is_frozen(trained, digits, tmp_path, frozen):
    trained.save(tmp_path)
    start = {"initial_encoder": str(tmp_path), "freeze_encoder": frozen}
    later = train(digits, recipe(start, vector_size=3))[0]
    assert later.contract.latent_size == (7 if frozen else 3)
    values = digits.read()[:40]
    if frozen:
        np.testing.assert_array_equal(later.encode(values), trained.encode(values))


def test_a_layout_stays_where_the_penalty_puts_it(digits):
    penalty = {"kind": "neighbourhood", "components": 2, "weight": 1.0}
    model = ModelChoice(**MODEL, penalties=[penalty]).build(recipe().task(digits))
    z = torch.rand(3, 5, 2, 2)
    assert not model.completes
    torch.testing.assert_close(model.vectors(z), z.mean((2, 3)))
