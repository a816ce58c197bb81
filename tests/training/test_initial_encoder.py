"""A trained encoder as the start of another training: frozen it does not move, else it does."""

import json
import shutil

import pytest
import torch
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import weights
from ae_pipelines.models.contract import Origin
from ae_pipelines.models.method import of_half
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training import loop
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

DENSE = {"kind": "dense", "widths": [64], "norm": "batch"}
CONV = {"kind": "conv", "channels": [4, 8], "norm": "batch"}
TRAINING = {"epochs": 1, "threads": 1, "learning_rate": 1e-2}


def made(model, folder=None, training=None, **loader):
    """A recipe of a model of dense net and batch norm, that starts from the encoder in `folder`."""
    start = {} if folder is None else {"initial_encoder": str(folder)}
    return Recipe.model_validate(
        {
            "name": model.get("kind"),
            "model": {"latent_size": 6, "net": DENSE} | model,
            "loader": {"batch_size": 64} | loader,
            "training": TRAINING | start | (training or {}),
        }
    )


AUTOENCODER = {"kind": "autoencoder"}
FROZEN = {"freeze_encoder": True}


def saved(model, digits, folder):
    trained, _ = train(digits, made(model))
    trained.save(folder)
    return trained


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    """A run's data folder with an autoencoder and its halves."""
    data = tmp_path_factory.mktemp("data")
    trained = saved(AUTOENCODER, digits, data / "06_models/autoencoder")
    for part in ("encoder", "decoder"):
        trained.part(part).save(data / "06_models" / part)
    return data


def state(trained, half):
    return of_half(trained.module.state_dict(), half)


def equal(first, second):
    assert first.keys() == second.keys()
    return {name: torch.equal(first[name], second[name]) for name in first}


PENALTIES = [{"kind": kind, "weight": 0.1} for kind in ("contractive", "sparse_l1")]
VIEWS = {"kind": "views", "reconstruction": 1.0, "loss": {"kind": "byol", "predictor_width": 16}, "projector": [16, 8]}
METHODS = {
    "autoencoder": AUTOENCODER,
    "autoencoder with dropout": AUTOENCODER | {"net": DENSE | {"dropout": 0.2}},
    "autoencoder with penalties": AUTOENCODER | {"penalties": PENALTIES},
    "autoencoder, conv": AUTOENCODER | {"net": CONV},
    "autoencoder, map": AUTOENCODER | {"net": CONV | {"latent": "map"}},
    "stacked": {"kind": "stacked"},
    "stacked, conv": {"kind": "stacked", "net": CONV},
    "vae": {"kind": "vae"},
    "views": VIEWS,
    "vae, conditional": {"kind": "vae", "conditional": True},
}


@pytest.mark.parametrize("model", METHODS.values(), ids=METHODS)
def test_a_frozen_encoder_does_not_move_by_a_bit_and_the_decoder_does(model, digits, tmp_path):
    earlier = saved(model, digits, tmp_path)
    later, _ = train(digits, made(model, tmp_path, FROZEN | {"weight_decay": 0.1, "seed": 1}))
    assert all(equal(state(earlier, "encoder"), state(later, "encoder")).values())
    assert any("running_mean" in name for name in state(later, "encoder")), "the test needs statistics that could move"
    moved = [name for name, same in equal(state(earlier, "decoder"), state(later, "decoder")).items() if not same]
    assert {name for name, _ in later.module.decoder.named_parameters(prefix="decoder")} <= {*moved}
    values = digits.read()[:50]
    assert (earlier.encode(values) == later.encode(values)).all()


def test_of_tied_weights_the_frozen_encoders_stay_and_the_decoders_biases_move(digits, tmp_path):
    tied = AUTOENCODER | {"net": {"kind": "dense", "widths": [64], "tied": True}}
    earlier = saved(tied, digits, tmp_path)
    later, _ = train(digits, made(tied, tmp_path, FROZEN))
    assert all(equal(state(earlier, "encoder"), state(later, "encoder")).values())
    for name, same in equal(state(earlier, "decoder"), state(later, "decoder")).items():
        assert same == name.endswith("weight")


def test_frozen_parameters_are_given_to_no_optimiser(digits, folder, tmp_path):
    checkpoint = CheckpointFile(tmp_path / "c")
    train(digits, made(AUTOENCODER, folder, FROZEN), checkpoint)
    remembered = {name.split(".")[2] for name in checkpoint.load()[0] if name.startswith("optimiser.0.")}
    decoder = TrainedModel.load(folder / "06_models/decoder")
    assert len(remembered) == len(list(decoder.module.parameters()))


def test_fine_tuning_starts_from_the_earlier_weights_and_moves_them(digits, folder, monkeypatch):
    earlier = TrainedModel.load(folder / "06_models/encoder")
    later, _ = train(digits, made({"kind": "siamese"}, folder))
    moved = equal(state(earlier, "encoder"), state(later, "encoder"))
    assert not any(same for name, same in moved.items() if name.endswith(("weight", "running_mean")))
    started = []
    monkeypatch.setattr(loop, "fit", lambda model, *_: started.append(model.state_dict()) or [])
    train(digits, made({"kind": "siamese"}, folder))
    assert all(equal(state(earlier, "encoder"), started[0]).values())


def test_views_start_from_an_autoencoder_and_an_autoencoder_from_views(digits, folder, tmp_path):
    views, _ = train(digits, made({"kind": "views", "projector": [8]}, folder, FROZEN))
    views.part("encoder").save(tmp_path)
    later, _ = train(digits, made(AUTOENCODER, tmp_path, FROZEN))
    earlier = TrainedModel.load(folder / "06_models/encoder")
    for trained in (views, later):
        assert all(equal(state(earlier, "encoder"), state(trained, "encoder")).values())


@pytest.mark.parametrize("place", ["", "06_models", "06_models/encoder", "06_models/autoencoder"])
def test_an_encoder_is_found_alone_in_an_autoencoder_and_in_a_runs_folder(place, digits, folder, monkeypatch):
    monkeypatch.setattr(loop, "fit", lambda *_: [])
    later, _ = train(digits, made(AUTOENCODER, folder / place))
    earlier = TrainedModel.load(folder / "06_models/encoder")
    assert all(equal(state(earlier, "encoder"), state(later, "encoder")).values())


def test_the_contract_says_what_a_model_started_from(digits, folder, tmp_path):
    earlier = TrainedModel.load(folder / "06_models/autoencoder").contract
    later, _ = train(digits, made(AUTOENCODER, folder, FROZEN))
    expected = Origin(recipe="autoencoder", run_id=None, sha256=earlier.sha256, frozen=True)
    assert later.contract.initial_encoder == expected
    later.part("decoder").save(tmp_path)
    assert TrainedModel.load(tmp_path).contract.initial_encoder == expected
    assert earlier.initial_encoder is None


def test_a_model_saved_before_contracts_had_an_origin_is_not_taken_for_damaged(folder, tmp_path):
    tensors, contract = weights.read(folder / "06_models/encoder")
    plain = contract.model_dump(mode="json", exclude={"initial_encoder", "vector_size", "elsewhere"})
    text = json.dumps(plain | {"sha256": ""}, separators=(",", ":")).replace(',"sha256":""', "")
    old = weights.tensors_sha256(tensors, text)
    assert old == contract.sha256


# -- resuming --------------------------------------------------------------------------------------------------


def interrupted(digits, recipe, file, monkeypatch, after=3):
    """Train until so many checkpoints are written, then die."""
    saves = []

    def save_and_die(self, tensors, state, save=CheckpointFile.save):
        save(self, tensors, state)
        saves.append(state["position"])
        if len(saves) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CheckpointFile, "save", save_and_die)
        train(digits, recipe, file)
    return saves[-1]


@pytest.mark.parametrize("kind", ["autoencoder", "stacked", "vae"])
def test_an_interrupted_training_with_a_frozen_encoder_ends_with_the_same_bits(digits, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(loop, "CHECK_EVERY", 8)
    saved({"kind": kind}, digits, tmp_path)
    recipe = made({"kind": kind}, tmp_path, FROZEN | {"epochs": 3, "checkpoint_seconds": 0.0})
    undisturbed, expected = train(digits, recipe)
    file = CheckpointFile(tmp_path / "checkpoint")
    at = interrupted(digits, recipe, file, monkeypatch, after=6)
    assert (at["epoch"], at["step"]) == (1, 16)
    later, history = train(digits, recipe, file)
    assert history == expected
    assert all(equal(undisturbed.module.state_dict(), later.module.state_dict()).values())


def test_only_the_same_start_makes_it_the_same_training(digits, folder, tmp_path, monkeypatch):
    train(digits, made(AUTOENCODER, training={"seed": 1}))[0].save(tmp_path / "other")
    shutil.copytree(folder / "06_models", tmp_path / "copy")
    fingerprints = []
    monkeypatch.setattr(loop, "fit", lambda *given: fingerprints.append(given[5]) or [])
    starts = ["06_models/autoencoder", "06_models/encoder", tmp_path / "copy", tmp_path / "other"]
    recipes = [made(AUTOENCODER, folder / start, FROZEN) for start in starts]
    for recipe in [*recipes, made(AUTOENCODER, folder), made(AUTOENCODER)]:
        train(digits, recipe)
    first, alone, elsewhere, other, not_frozen, random = fingerprints
    assert first == alone == elsewhere
    assert len({first, other, not_frozen, random}) == 4


# -- what is refused -------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_or_empty_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere is not a folder: give the folder .*data_dir of the run"):
        made(AUTOENCODER, tmp_path / "nowhere").check()
    with pytest.raises(InputError, match=r"has no trained encoder in it: give the folder"):
        made(AUTOENCODER, tmp_path).check()


def test_a_damaged_encoder_is_refused(folder, tmp_path):
    content = bytearray((folder / "06_models/encoder" / weights.WEIGHTS).read_bytes())
    content[-5] ^= 1
    (tmp_path / weights.WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=r"training\.initial_encoder: .* is damaged \(its sha256 differs\)"):
        made(AUTOENCODER, tmp_path).check()


def test_a_trained_model_without_an_encoder_is_refused(digits, folder, tmp_path):
    train(digits, made({"kind": "gan", "net": {"kind": "dense"}}))[0].save(tmp_path)
    with pytest.raises(InputError, match=r"has no encoder: it is the autoencoder of recipe gan \(gan\); give"):
        made(AUTOENCODER, tmp_path).check()
    with pytest.raises(InputError, match=r"has no encoder: it is the decoder of recipe autoencoder \(autoencoder\)"):
        made(AUTOENCODER, folder / "06_models/decoder").check()


def test_a_method_without_an_encoder_is_refused(folder):
    with pytest.raises(InputError, match="gan has no encoder that could start from .*: leave it out, or choose"):
        made({"kind": "gan"}, folder).check()


def test_other_layers_are_refused_with_both_sizes_before_there_are_samples(folder):
    message = r"recipe autoencoder, 8 tensors, 4,743 values.* does not have the layers of this recipe's"
    with pytest.raises(InputError, match=message + r" \(8 tensors, 4,548 values\)"):
        made(AUTOENCODER | {"latent_size": 3}, folder).check()
    with pytest.raises(InputError, match=message + r" \(8 tensors, 5,133 values\)"):
        made({"kind": "vae"}, folder).check()


def test_samples_of_another_shape_are_refused_before_training(folder, tmp_path):
    store = write_store(tmp_path, ArraySource(images(200), splits=["train", "train", "test", "train"] * 50))
    recipe = made(AUTOENCODER, folder)
    recipe.check()
    with pytest.raises(InputError, match=r"does not have the layers .*samples of one shape"):
        recipe.check_samples(store)


def test_a_method_that_only_some_samples_suit_is_checked_when_they_are_there(digits, tmp_path):
    train(digits, made(AUTOENCODER, corruptions=[{"kind": "downscale"}]))[0].save(tmp_path)
    stacked = made({"kind": "stacked"}, tmp_path)  # which takes no inputs that are smaller than the samples
    stacked.check()
    with pytest.raises(InputError, match="does not have the layers"):
        stacked.check_samples(digits)


def test_a_frozen_encoder_with_another_activation_is_refused_and_may_be_learned_on(digits, folder):
    other = AUTOENCODER | {"net": DENSE | {"activation": "tanh"}}
    with pytest.raises(InputError, match="gives other latents than that of recipe autoencoder did: .*activation"):
        made(other, folder, FROZEN).check()
    made(other, folder).check()


def test_nothing_left_to_train_is_refused(digits, folder):
    siamese = made({"kind": "siamese"}, folder, FROZEN)
    with pytest.raises(InputError, match="nothing to train but its encoder: leave it out, or choose a method"):
        siamese.check()
    with pytest.raises(InputError, match="nothing to train but its encoder"):
        train(digits, siamese)


def test_freezing_an_encoder_that_has_learned_nothing_is_refused():
    with pytest.raises(InputError, match="^training: freeze_encoder is for a trained encoder, but there is no initial"):
        made(AUTOENCODER, None, FROZEN)


def test_an_mlflow_run_is_left_to_kedro():
    for address in ("runs:/0123/encoder", "mlflow:0123"):
        with pytest.raises(InputError, match=rf"{address} is not a folder: give the folder"):
            made(AUTOENCODER, address).check()
