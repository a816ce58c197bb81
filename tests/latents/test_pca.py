import numpy as np
import pytest
from making import ArraySource
from sklearn.decomposition import PCA

from ae_pipelines.latents.pca import _blurred_error, pca_stream
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import LearnedFrom


def errors(samples, components):
    return np.concatenate([block.reconstruction_error for block in pca_stream(samples, components).blocks])


def test_the_control_is_sklearns_pca_of_the_train_split(digits):
    values = digits.read().reshape(len(digits), -1) / 255.0
    pca = PCA(5).fit(values[digits.positions("train")])
    expected = np.square(pca.inverse_transform(pca.transform(values)) - values).mean(axis=1)
    np.testing.assert_allclose(errors(digits, 5), expected, rtol=1e-3, atol=1e-6)


def test_a_mean_large_against_the_deviation_costs_no_digits(tmp_path):
    random = np.random.default_rng(0)
    values = (300 + random.normal(size=(2000, 2)) @ random.normal(size=(2, 20))).astype(np.float32)
    store = write_store(tmp_path, ArraySource(values))
    assert errors(store, 2).mean() < 1e-6 * values.var(axis=0).mean()


def test_more_components_lose_less_and_all_lose_nothing(digits):
    losses = [errors(digits, components).mean() for components in (2, 8, 32, 64)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=1e-8)


def test_more_components_than_features_are_as_good_as_all(digits):
    assert errors(digits, 500).mean() == pytest.approx(0, abs=1e-8)


def test_rows_beyond_the_limit_are_left_out_of_the_fit(digits, monkeypatch):
    whole = errors(digits, 8).mean()
    monkeypatch.setattr("ae_pipelines.latents.pca.FIT_ROWS", 200)
    assert whole < errors(digits, 8).mean() < 1.3 * whole


def test_samples_of_many_features_have_nearly_the_same_components_by_the_randomised_solver(digits, monkeypatch):
    expected = errors(digits, 8)
    monkeypatch.setattr("ae_pipelines.latents.pca.COVARIANCE_FEATURES", 1)
    np.testing.assert_allclose(errors(digits, 8).mean(), expected.mean(), rtol=1e-2)


def test_rows_that_are_marked_unseen_have_no_part_in_the_fit(digits):
    half = LearnedFrom(validation_share=0.5, normal_labels=("3", "5"))
    seen = digits.seen(half)
    values = digits.read().reshape(len(digits), -1) / 255.0
    pca = PCA(5).fit(values[seen])
    stream = pca_stream(digits, 5, half)
    marked = np.concatenate([batch.column("seen").to_numpy(zero_copy_only=False) for batch in stream.ids])
    np.testing.assert_array_equal(marked, seen)
    found = np.concatenate([block.reconstruction_error for block in stream.blocks])
    expected = np.square(pca.inverse_transform(pca.transform(values)) - values).mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_the_blurred_error_is_that_of_the_autoencoders(digits):
    import torch

    from ae_pipelines.training.embedding import blurred_error

    draw = np.random.default_rng(0)
    residual, x = draw.normal(size=(2, 7, 2, 5, 6)).astype(np.float32)
    expected = blurred_error(torch.from_numpy(residual), torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(_blurred_error(residual, x.reshape(7, -1)), expected, rtol=1e-4)
