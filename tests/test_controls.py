import numpy as np
import pytest
from sklearn.decomposition import PCA

from ae_pipelines import controls


def errors(samples, components):
    return np.concatenate([block.reconstruction_error for block in controls.pca_stream(samples, components).blocks])


def test_the_control_is_sklearns_pca_of_the_train_split(digits):
    values = digits.read().reshape(len(digits), -1) / 255.0
    pca = PCA(5).fit(values[digits.rows("train")])
    expected = np.square(pca.inverse_transform(pca.transform(values)) - values).mean(axis=1)
    np.testing.assert_allclose(errors(digits, 5), expected, rtol=1e-3, atol=1e-6)


def test_more_components_lose_less_and_all_lose_nothing(digits):
    losses = [errors(digits, components).mean() for components in (2, 8, 32, 64)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=1e-8)


def test_more_components_than_features_are_as_good_as_all(digits):
    assert errors(digits, 500).mean() == pytest.approx(0, abs=1e-8)


def test_rows_beyond_the_memory_limit_are_left_out_of_the_fit(digits, monkeypatch):
    monkeypatch.setattr(controls, "FIT_BYTES", 300 * 64 * 4)
    assert len(controls._train_rows(digits, 64, 0)) == 300
    assert errors(digits, 8).mean() < 1.3 * 0.0265
