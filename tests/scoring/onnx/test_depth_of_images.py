"""Images of 16 bits through the ONNX files and the endpoint."""

import json

import numpy as np
import onnxruntime
import pytest
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.scoring import raw
from ae_pipelines.scoring.onnx import exporting
from ae_pipelines.scoring.onnx.exporting import Trial
from ae_pipelines.training.loop import train

RANGE = (300, 3900)
VALUES = np.random.default_rng(0).integers(0, 4096, (200, 1, 8, 8), np.uint16)


class Deep(ArraySource):
    def spec(self):
        return super().spec().with_range(*RANGE)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("deep"), Deep(VALUES))


@pytest.fixture(scope="module")
def trained(samples, recipe):
    return train(samples, recipe)[0]


def test_the_encoder_scales_and_cuts_as_the_model_does(trained, samples):
    made = exporting.encoder(Trial.of(trained, samples))
    assert made.file.takes[0].dtype == "uint16"
    session = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])
    values = np.concatenate([VALUES[:20], np.full((1, 1, 8, 8), 65_535, np.uint16)])
    found = session.run(["latent"], {"raw": values})[0]
    expected = trained.encode(values)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    brighter = np.full((1, 1, 8, 8), RANGE[1], np.uint16)
    np.testing.assert_allclose(expected[-1:], trained.encode(brighter), atol=1e-5)


def test_the_decoder_gives_images_in_0_to_1(trained, samples):
    made = exporting.decoder(Trial.of(trained, samples))
    assert json.loads(made.file.model_dump_json())["parity"]["sample"]["difference"] < 1e-4


def test_the_endpoint_takes_whole_numbers_of_16_bits(samples):
    found = raw.stored(VALUES[:3].tolist(), samples.spec)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, VALUES[:3])
    with pytest.raises(InputError, match="whole numbers from 0 to 65535, given 0 to 70000"):
        raw.stored(np.array([[[[0, 70_000] * 4] * 8]]), samples.spec)
    with pytest.raises(InputError, match="whole numbers from 0 to 65535, given fractions"):
        raw.stored(VALUES[:3] / 4096, samples.spec)
