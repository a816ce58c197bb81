"""Encoders side by side."""

import numpy as np
import pytest
import torch
from small_architecture import SMALL

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.autoencoder import Autoencoder
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.patches import Patches
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.evaluation import evaluate
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

TASK = Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8"))
DENSE = {"kind": "autoencoder", "latent_size": 3, "net": {"kind": "dense", "widths": [16]}}
PATCHES = {"kind": "patches", "latent_size": 4, "centroids": 10}


def trained(digits, model, checkpoint=None):
    training = {"epochs": 2, "threads": 1, "learning_rate": 2e-3, "validation_share": 0}
    recipe = Recipe.model_validate({"model": model, "loader": {"batch_size": 128}, "training": training})
    return train(digits, recipe, checkpoint)


@pytest.fixture(scope="module")
def joined(digits):
    return trained(digits, {"kind": "joined", "parts": [DENSE, PATCHES, DENSE]})


def test_latents_are_those_of_the_parts_each_divided_by_one_number(digits, joined):
    z = joined[0].encode(digits.read())
    assert z.shape[1] == joined[0].contract.latent_size == 10
    for part in (z[:, :3], z[:, 3:7], z[:, 7:]):
        assert part.var(axis=0).mean() == pytest.approx(1, rel=0.1)
    first = joined[0].module._parts[0].encode(torch.from_numpy(digits.read()) / 255)
    ratio = first.detach().numpy() / z[:, :3]
    np.testing.assert_allclose(ratio, np.full_like(ratio, ratio[0, 0]), rtol=1e-4)


def test_the_first_part_learns_as_it_would_alone(digits, joined):
    alone, history = trained(digits, DENSE)
    own = joined[0].module._parts[0].state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in alone.module.state_dict().items())
    assert joined[1][1]["train/autoencoder_1/reconstruction"] == history[1]["train/autoencoder/reconstruction"]


def test_phases_follow_one_another_under_the_names_of_the_parts(joined):
    assert [(row["phase"], row["epoch"]) for row in joined[1][:5]] == [
        ("autoencoder_1", 1),
        ("autoencoder_1", 2),
        ("autoencoder_2", 1),
        ("autoencoder_2", 2),
        ("complete", 1),
    ]


def test_no_tensor_is_kept_twice():
    model = ModelChoice(kind="joined", parts=[DENSE, PATCHES]).build(TASK)
    tensors = model.state_dict()
    assert len({tensor.data_ptr() for tensor in tensors.values()}) == len(tensors)
    apart = sum(len(ModelChoice(**part).build(TASK).state_dict()) for part in (DENSE, PATCHES))
    assert len(tensors) == apart + 1  # the scales
    assert not any(name.startswith("encoder.") and "decoder" in name for name in tensors)


def test_a_step_is_told_to_the_part_that_made_it(monkeypatch):
    model = ModelChoice(kind="joined", parts=[DENSE, DENSE]).build(TASK)
    told = []
    for number, part in enumerate(model._parts):
        monkeypatch.setattr(part, "after_step", lambda done, number=number: told.append(number))
    x = torch.rand(4, 1, 8, 8)
    for phase in model.phases():
        phase.players[0].terms(Batch(x, x, torch.arange(4)))
        model.after_step(0.5)
    assert told == [0, 1]


def test_a_frozen_one_stays_as_it_is(digits, joined, tmp_path):
    joined[0].part("encoder").save(tmp_path)
    start = {"initial_encoder": str(tmp_path), "freeze_encoder": True, "epochs": 1, "threads": 1}
    recipe = {"model": joined[0].contract.model, "loader": {"batch_size": 128}, "training": start}
    again, _ = train(digits, Recipe.model_validate(recipe))
    np.testing.assert_array_equal(again.encode(digits.read()), joined[0].encode(digits.read()))


def test_a_part_that_takes_whole_samples_only_goes_with_one_that_learns_from_small_crops(digits):
    views = {"kind": "views", "latent_size": 3, "net": {"kind": "resnet", "widths": [8], "head": 8}}
    model = {"kind": "joined", "parts": [{"kind": "pretrained", "latent_size": 4, **SMALL}, views]}
    loader = {"batch_size": 128, "corruptions": [{"kind": "crop", "size": 5, "whole": "kept"}]}
    recipe = Recipe.model_validate({"model": model, "loader": loader, "training": {"epochs": 1, "threads": 1}})
    model, history = train(digits, recipe)
    assert evaluate(model, digits, recipe)["latent_effective_rank"] > 1
    assert history[0]["latents/effective_rank"] > 1


def test_one_that_is_killed_after_its_phases_does_not_go_through_them_again(digits, tmp_path, monkeypatch):
    def killed(model, train):
        raise KeyboardInterrupt

    model, checkpoint = {"kind": "joined", "parts": [DENSE, PATCHES]}, CheckpointFile(tmp_path / "checkpoint")
    whole, history = trained(digits, model)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Patches, "complete", killed)
        trained(digits, model, checkpoint)
    with monkeypatch.context() as patched:
        patched.setattr(Autoencoder, "terms", killed)
        again, taken_up = trained(digits, model, checkpoint)
    assert (again.content, taken_up) == (whole.content, history)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):  # done, so the next starts afresh
        patched.setattr(Autoencoder, "terms", killed)
        trained(digits, model, checkpoint)


def test_what_has_no_encoder_is_refused():
    with pytest.raises(InputError, match="joined takes methods with an encoder, and gan has none"):
        ModelChoice(kind="joined", parts=[DENSE, {"kind": "gan"}]).build(TASK)
    with pytest.raises(InputError, match="parts"):
        ModelChoice(kind="joined", parts=[DENSE]).check()


def test_samples_are_rebuilt_by_the_part_that_is_named_from_its_own_latents(digits):
    pca = {"kind": "pca", "latent_size": 5}
    found = trained(digits, {"kind": "joined", "parts": [PATCHES, pca], "rebuilt_by": 1})[0]
    alone = trained(digits, pca)[0]
    z = found.encode(digits.read())
    np.testing.assert_allclose(found.decode(z), alone.reconstruct(digits.read()), atol=1e-5)
    z[:, :4] = 0
    np.testing.assert_allclose(found.decode(z), alone.reconstruct(digits.read()), atol=1e-5)


@pytest.mark.parametrize(
    ("rebuilt_by", "said"), [(2, "counted from 0 to 1"), (0, "part 0, patches, does not rebuild"), (1, "part 1")]
)
def test_a_part_that_rebuilds_nothing_is_refused(rebuilt_by, said):
    maps = {"kind": "autoencoder", "latent_size": 2, "net": {"kind": "conv", "latent": "map"}}
    with pytest.raises(InputError, match=said):
        ModelChoice(kind="joined", parts=[PATCHES, maps], rebuilt_by=rebuilt_by).build(TASK)
