import itertools

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

SPEC = SampleSpec(shape=(1, 8, 8), dtype="uint8")


def stacked(**options):
    torch.manual_seed(0)
    net = options.pop("net", {"kind": "dense", "widths": [16, 8]})
    return ModelChoice(kind="stacked", net=net, latent_size=4, **options).build(Task.plain(SPEC))


def test_there_is_a_phase_for_each_layer_and_one_for_the_whole():
    phases = stacked(layer_epochs=3).phases()
    assert [phase.name for phase in phases] == ["layer_1", "layer_2", "layer_3", "fine_tune"]
    assert [phase.epochs for phase in phases] == [3, 3, 3, None]


@pytest.mark.parametrize("net", [{"kind": "dense", "widths": [16, 8]}, {"kind": "conv", "channels": [4, 8]}])
def test_a_layer_learns_to_undo_itself_on_what_the_layers_below_give(net):
    model = stacked(net=net)
    x = torch.rand(5, *SPEC.shape)
    batch = Batch(x + 1, x, torch.arange(5))  # deeper layers start from the clean sample
    (second,) = model.phases()[1].players
    below = model.encoder[0](x)
    expected = (model.decoder[1](model.encoder[1](below)) - below).square().mean()
    torch.testing.assert_close(second.terms(batch)["reconstruction"], expected)


def test_the_first_layer_takes_the_input_and_gives_the_target():
    model = stacked()
    x, noisy = torch.rand(2, 5, *SPEC.shape)
    (first,) = model.phases()[0].players
    made = model.decoder[2](model.encoder[0](noisy)).sigmoid()
    term = first.terms(Batch(noisy, x, torch.arange(5)))["reconstruction"]
    torch.testing.assert_close(term, (made - x).square().mean())


def test_a_layers_corruption_touches_what_it_takes_and_not_what_it_should_give():
    everything = stacked(layer_corruptions=[{"kind": "masking", "share": 1.0}])
    (second,) = everything.phases()[1].players
    x = torch.rand(5, *SPEC.shape)
    below = everything.encoder[0](x)
    expected = (everything.decoder[1](everything.encoder[1](torch.zeros_like(below))) - below).square().mean()
    torch.testing.assert_close(second.terms(Batch(x, x, torch.arange(5)))["reconstruction"], expected)


def test_each_phase_is_trained_and_in_the_history(digits):
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "stacked", "latent_size": 4, "layer_epochs": 2, "net": {"kind": "dense", "widths": [32]}},
            "training": {"epochs": 3, "threads": 1, "learning_rate": 3e-3},
        }
    )
    _, history = train(digits, recipe)
    assert [row["phase"] for row in history] == ["layer_1"] * 2 + ["layer_2"] * 2 + ["fine_tune"] * 3
    assert history[1]["loss"] < history[0]["loss"]
    assert history[3]["loss"] < history[2]["loss"]
    whole = [row["train/autoencoder/reconstruction"] for row in history[4:]]
    assert whole[-1] < whole[0]


def test_layers_below_stay_as_they_are_while_one_learns():
    model = stacked(net={"kind": "dense", "widths": [16, 8], "norm": "batch", "dropout": 0.5}).train()
    before = {name: buffer.clone() for name, buffer in model.encoder[:2].named_buffers()}
    x = torch.rand(6, *SPEC.shape)
    assert torch.equal(model._below(2, x), model._below(2, x)), "no dropout in what is learned"
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.encoder[:2].named_buffers())
    assert all(part.training for part in model.modules())


@pytest.mark.parametrize(
    ("corruption", "message"),
    [
        ({"kind": "downscale"}, "downscale takes images"),
        ({"kind": "gaussian_noise", "clip": True}, r"gaussian_noise.* in \[0, 1\]"),
        ({"kind": "salt_and_pepper"}, "salt_and_pepper"),
    ],
)
def test_corruptions_that_do_not_fit_what_a_layer_is_given_are_refused(corruption, message):
    with pytest.raises(InputError, match=message):
        stacked(layer_corruptions=[corruption])


def test_corruptions_that_change_the_shape_of_what_a_layer_is_given_are_refused():
    with pytest.raises(InputError, match="change the shape of the input of layer 2"):
        stacked(net={"kind": "conv", "channels": [4, 8]}, layer_corruptions=[{"kind": "downscale"}])


def test_a_training_killed_in_any_phase_ends_as_an_undisturbed_one(digits, tmp_path, monkeypatch):
    options = {"epochs": 1, "threads": 1, "checkpoint_seconds": 0.0, "schedule": "one_cycle"}
    model = {"kind": "stacked", "latent_size": 4, "layer_epochs": 1, "net": {"kind": "dense", "widths": [32]}}
    recipe = Recipe.model_validate({"model": model, "loader": {"batch_size": 256}, "training": options})
    expected, _ = train(digits, recipe)
    save = CheckpointFile.save
    for after in range(1, 8):
        saves = itertools.count(1)

        def save_and_die(self, tensors, state, saves=saves, after=after):
            save(self, tensors, state)
            if next(saves) == after:
                raise KeyboardInterrupt

        checkpoint = CheckpointFile(tmp_path / str(after))
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(CheckpointFile, "save", save_and_die)
            train(digits, recipe, checkpoint)
        weights = train(digits, recipe, checkpoint)[0].module.state_dict()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in expected.module.state_dict().items()), after


def test_inputs_of_another_shape_are_refused():
    task = Task(samples=SPEC, input_shape=(1, 4, 4))
    with pytest.raises(InputError, match=r"corruptions turn \(1, 8, 8\) into \(1, 4, 4\): leave out downscale"):
        ModelChoice(kind="stacked").build(task)
