import json

import numpy as np
import pytest
import torch
from making import ArraySource, images
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import weights
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


def test_a_loaded_model_reconstructs_exactly_as_the_saved_one(trained, digits, tmp_path):
    trained.save(tmp_path)
    loaded = TrainedModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.reconstruct(digits.read()), trained.reconstruct(digits.read()))
    assert loaded.contract == trained.contract


def test_encoder_and_decoder_work_by_themselves(trained, digits, tmp_path):
    for part in ("encoder", "decoder"):
        trained.part(part).save(tmp_path / part)
    encoder, decoder = (TrainedModel.load(tmp_path / part) for part in ("encoder", "decoder"))
    latents = encoder.encode(digits.read())
    assert latents.shape == (1797, 8)
    np.testing.assert_allclose(decoder.decode(latents), trained.reconstruct(digits.read()), atol=1e-5)
    assert (tmp_path / "encoder/weights.safetensors").stat().st_size < 30_000, "half of the weights"


def test_one_half_refuses_the_work_of_the_other(trained, digits):
    with pytest.raises(InputError, match="this is the encoder alone: load the autoencoder to decode"):
        trained.part("encoder").reconstruct(digits.read())


def test_encoding_does_not_depend_on_what_else_is_in_the_batch(trained, digits):
    values = digits.read()
    np.testing.assert_allclose(trained.encode(values)[5:8], trained.encode(values[5:8]), atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (images(3, (1, 9, 8)), r"shape \(batch, 1, 8, 8\), given \(3, 1, 9, 8\)"),
        (images(3, (8, 8)), r"given \(3, 8, 8\)"),
        (np.zeros((3, 1, 8, 8), np.float32), "takes uint8 samples, given float32: .*before any scaling"),
        (images(0, (1, 8, 8)), "given no samples"),
    ],
)
def test_samples_that_do_not_fit_are_refused_with_the_difference(trained, samples, message):
    with pytest.raises(InputError, match=message):
        trained.encode(samples)


def test_a_store_that_does_not_fit_is_refused_with_every_difference(trained, tmp_path):
    store = write_store(tmp_path, ArraySource(images(5)))
    with pytest.raises(InputError, match=r"shape \(1, 6, 5\) \(expected \(1, 8, 8\)\); preprocessing"):
        trained.contract.samples.refuse_other(store.spec, "encoder")


def test_the_contract_is_in_the_weights_and_beside_them(trained, tmp_path, digits):
    trained.save(tmp_path)
    text = json.loads((tmp_path / "contract.json").read_text())
    assert text["samples_id"] == digits.id
    assert text["model"]["net"].items() >= {"kind": "dense", "widths": [64]}.items()
    (tmp_path / "contract.json").unlink()
    assert TrainedModel.load(tmp_path).contract == trained.contract


def test_any_flipped_bit_is_noticed(trained, tmp_path):
    trained.save(tmp_path)
    path = tmp_path / "weights.safetensors"
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(place % 7)
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            TrainedModel.load(tmp_path)


def test_a_missing_model_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="no trained model in .*: train one first"):
        TrainedModel.load(tmp_path)


def small(model, corruptions=()):
    return Recipe.model_validate(
        {
            "model": {"latent_size": 6, "net": {"kind": "conv", "channels": [4, 8]}} | model,
            "loader": {"batch_size": 64, "corruptions": list(corruptions)},
            "training": {"epochs": 1, "threads": 1},
        }
    )


def test_a_conditional_model_decodes_with_labels_that_it_knows(digits, tmp_path):
    train(digits, small({"kind": "vae", "conditional": True}))[0].part("decoder").save(tmp_path)
    decoder = TrainedModel.load(tmp_path)
    latents = np.zeros((3, 6))
    first, other, untold = (decoder.decode(latents, labels) for labels in (["3"] * 3, ["4"] * 3, None))
    assert not np.allclose(first, other)
    np.testing.assert_allclose(untold, decoder.decode(latents, [None] * 3), atol=1e-6)
    with pytest.raises(InputError, match="does not know ten; give one of 0, 1, .*, or None, for each"):
        decoder.decode(latents, ["1", "ten", None])
    with pytest.raises(InputError, match="given 1 labels for 3 latents"):
        decoder.decode(latents, ["1"])


def test_labels_for_a_model_that_was_trained_without_are_refused(trained):
    with pytest.raises(InputError, match="trained without labels, so it cannot be given any: leave them out"):
        trained.decode(np.zeros((1, 8)), ["3"])


def test_a_feature_map_is_encoded_into_its_components_and_decoded_as_a_whole(digits):
    model = small({"kind": "autoencoder", "net": {"kind": "conv", "channels": [4, 8], "latent": "map"}})
    trained, _ = train(digits, model)
    values = digits.read()[:5]
    assert trained.contract.latent_shape == (6, 2, 2)
    assert trained.encode(values).shape == (5, 24), "all there are: fewer than 64"
    assert trained.reconstruct(values).shape == values.shape
    with pytest.raises(InputError, match=r"latents of shape \(batch, 6, 2, 2\), given \(5, 24\)"):
        trained.decode(trained.encode(values))


def test_an_encoder_of_small_images_makes_them_small_itself(digits, tmp_path):
    trained, _ = train(digits, small({"kind": "autoencoder"}, [{"kind": "gaussian_noise"}, {"kind": "downscale"}]))
    trained.save(tmp_path)
    values = digits.read()[:5]
    loaded = TrainedModel.load(tmp_path)
    assert loaded.contract.task.input_shape == (1, 4, 4)
    with torch.inference_mode():
        x = torch.nn.functional.avg_pool2d(torch.from_numpy(values) / 255.0, 2)
        expected = trained.module.encode(x).numpy()
    np.testing.assert_allclose(loaded.encode(values), expected, atol=1e-5)
    assert loaded.reconstruct(values).shape == values.shape
    assert loaded.corrupted(values).shape == (5, 1, 4, 4)


def test_an_encoder_works_without_the_file_that_a_corruption_took(digits, tmp_path):
    Image.new("L", (20, 10), 255).save(tmp_path / "logo.png")
    logo = [{"kind": "watermark", "logo": str(tmp_path / "logo.png")}]
    train(digits, small({"kind": "autoencoder"}, logo))[0].save(tmp_path)
    (tmp_path / "logo.png").unlink()
    assert TrainedModel.load(tmp_path).encode(digits.read()[:5]).shape == (5, 6)


def test_tied_weights_are_saved_and_loaded_in_both_halves(digits, tmp_path):
    net = {"kind": "dense", "widths": [16], "tied": True}
    trained, _ = train(digits, small({"kind": "autoencoder", "net": net}))
    for part in ("encoder", "decoder"):
        trained.part(part).save(tmp_path / part)
    encoder, decoder = (TrainedModel.load(tmp_path / part) for part in ("encoder", "decoder"))
    values = digits.read()[:5]
    np.testing.assert_allclose(decoder.decode(encoder.encode(values)), trained.reconstruct(values), atol=1e-5)


def test_a_model_that_a_gpu_trained_is_used_on_one_where_there_is_one(digits, monkeypatch):
    recipe = Recipe.model_validate({"model": {"kind": "autoencoder", "net": {"kind": "dense", "widths": [8]}}})
    task = recipe.task(digits)
    here, there = (TrainedModel.of(recipe.model.build(task), recipe, task, digits, device=d) for d in ("cpu", "cuda"))
    assert "device" not in here.contract.versions
    monkeypatch.setattr("ae_pipelines.training.trained.freest_gpu", lambda: None)
    assert there.where_trained() is there
    monkeypatch.setattr("ae_pipelines.training.trained.freest_gpu", lambda: torch.device("meta"))
    assert (here.where_trained().device.type, there.where_trained().device.type) == ("cpu", "meta")
    assert there.device.type == "cpu", "its own weights stay where they are"


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        ({"kind": "dense", "widths": [60_000, 60_000]}, "its contract declares other tensors than it holds"),
        ({"kind": "dense", "widths": [5_000] * 1000}, "no model can be made by its contract: too many layers"),
        ({"kind": "dense", "widths": "wide"}, "no model can be made by its contract"),
    ],
)
def test_a_contract_of_another_model_is_refused_before_there_is_memory_for_it(trained, tmp_path, net, reason):
    tensors = trained.module.state_dict()
    contract = trained.contract.model_copy(update={"model": trained.contract.model | {"net": net}})
    weights.write(tmp_path, tensors, weights.sealed(contract, tensors))
    with pytest.raises(InputError, match=reason):
        TrainedModel.load(tmp_path)
