"""Principal components as a method."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe


def test_it_rebuilds_samples_as_scikit_learn_does(digits):
    options = {"loader": {"batch_size": 353}, "training": {"validation_share": 0}}  # four batches are all train samples
    recipe = Recipe.model_validate({"model": {"kind": "pca", "latent_size": 6}, **options})
    found = train(digits, recipe)[0]
    x = digits.read()[digits.positions("train")].reshape(-1, 64) / np.float32(digits.spec.range[1])
    known = PCA(6).fit(x)
    rebuilt = found.reconstruct(digits.read()[digits.positions("train")]).reshape(-1, 64)
    expected = known.inverse_transform(known.transform(x)).clip(0, 1)
    np.testing.assert_allclose(rebuilt, expected, atol=1e-4)
    z = found.encode(digits.read()[digits.positions("train")])
    assert z.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(np.corrcoef(z.T), np.eye(6), atol=1e-4)


@pytest.mark.parametrize(("shape", "latents"), [((1, 2, 2), 5), ((3, 64, 64), 5)])
def test_samples_with_too_few_or_too_many_values_are_refused(shape, latents):
    with pytest.raises(InputError, match="pca of samples of"):
        ModelChoice(kind="pca", latent_size=latents).build(Task.plain(SampleSpec(shape=shape, dtype="uint8")))
