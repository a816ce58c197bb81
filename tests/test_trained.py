import json

import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.errors import InputError
from ae_pipelines.ingest import write_store
from ae_pipelines.trained import TrainedModel
from ae_pipelines.training import train


@pytest.fixture(scope="module")
def trained(digits, recipe):
    return train(digits, recipe)[0]


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
    np.testing.assert_array_equal(decoder.decode(latents), trained.reconstruct(digits.read()))
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
    assert text["model"]["net"] == {"kind": "dense", "widths": [64]}
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
    with pytest.raises(InputError, match="kedro run --pipelines=train"):
        TrainedModel.load(tmp_path)
