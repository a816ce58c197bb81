import numpy as np
import pytest
import torch
from making import ArraySource, images
from scipy.ndimage import uniform_filter

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training import embedding


def test_every_accepted_sample_has_one_row_in_storage_order(embedded, digits):
    assert embedded.table["sample_id"].tolist() == digits.index["sample_id"].tolist()


def test_vectors_are_the_encoders(embedded, trained, digits):
    np.testing.assert_allclose(embedded.vectors, trained.encode(digits.read()), atol=1e-5)


def test_reconstruction_error_is_the_mean_squared_error_in_unit_scale(embedded, trained, digits):
    values = digits.read()
    expected = np.square(trained.reconstruct(values) - values / 255.0).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(embedded.table["reconstruction_error"], expected, rtol=1e-4)


def test_metadata_name_the_encoder_and_the_data(embedded, trained, digits):
    assert embedded.metadata["encoder_sha256"] == trained.contract.sha256
    assert embedded.metadata["samples_id"] == digits.id


def test_blurred_error_matches_scipys_box_filter():
    random = np.random.default_rng(0)
    x, residual = random.random((4, 2, 7, 9)), random.normal(size=(4, 2, 7, 9))
    blurred = np.stack([uniform_filter(one, size=(1, 3, 3), mode="constant") for one in residual])
    expected = np.square(blurred).sum(axis=(1, 2, 3)) / np.square(x).sum(axis=(1, 2, 3))
    found = embedding.blurred_error(torch.from_numpy(residual), torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_an_empty_image_has_a_finite_blurred_error():
    assert torch.isfinite(embedding.blurred_error(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))).all()


def test_latents_do_not_depend_on_the_number_of_cpus(trained, digits):
    threads = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(np.concatenate([b.vectors for b in embedding.latent_stream(trained, digits).blocks]))
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(*found)


def test_samples_of_another_kind_are_refused(trained, tmp_path):
    store = write_store(tmp_path, ArraySource(images(5)))
    with pytest.raises(InputError, match="not what the autoencoder was trained on"):
        embedding.latent_stream(trained, store)
