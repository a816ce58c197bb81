"""The learning-rate range test."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import Phase
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning import learning_rate
from ae_pipelines.tuning.learning_rate import FEWEST_STEPS, HIGHEST, LOWEST, SAFE, Curve, range_test
from ae_pipelines.tuning.options import TuneOptions


def recipe(model=None, **training):
    dense = {"kind": "autoencoder", "latent_size": 2, "net": {"kind": "dense", "widths": [8]}}
    return Recipe.model_validate(
        {
            "name": "small",
            "model": model or dense,
            "loader": {"batch_size": 32},
            "training": {"learning_rate": 3e-3, "validation_share": 0.0, **training},
        }
    )


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Grey images whose brightness alone differs, so that there is something to learn."""
    dark = images(60) // 8 + np.arange(60, dtype=np.uint8)[:, None, None, None] * 3
    return write_store(tmp_path_factory.mktemp("few"), ArraySource(dark, splits=["train"] * 56 + ["test"] * 4))


@pytest.fixture(scope="module")
def curve(few):
    return range_test(few, recipe(), TuneOptions())


def test_rates_grow_by_one_factor_and_few_samples_take_fewer_steps(curve):
    factors = np.divide(curve.rates[1:], curve.rates[:-1])
    np.testing.assert_allclose(factors, (HIGHEST / LOWEST) ** (1 / (FEWEST_STEPS - 1)))
    assert curve.rates[0] == LOWEST
    assert len(curve.losses["autoencoder"]) == len(curve.smoothed["autoencoder"]) == len(curve.rates) <= FEWEST_STEPS


def test_a_tenth_of_the_rate_of_the_lowest_loss_is_suggested(curve):
    lowest = curve.rates[int(np.argmin(curve.smoothed["autoencoder"]))]
    assert curve.suggested == pytest.approx(lowest / SAFE, rel=0.05)
    assert curve.highest_stable >= lowest
    assert f"{curve.suggested:.1e} is suggested" in curve.note


def test_it_is_the_same_again_and_keeps_the_random_state(few, curve):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert range_test(few, recipe(), TuneOptions()) == curve
    assert torch.equal(torch.get_rng_state(), before)
    assert range_test(few, recipe(), TuneOptions(seed=1)).losses != curve.losses


def test_the_curve_survives_json_and_says_what_it_found(curve):
    assert set(curve.metrics()) == {"learning_rate_suggested", "learning_rate_highest_stable", "learning_rate_own"}
    assert curve.note in curve.verdict
    assert Curve.of(json.loads(json.dumps(curve.plain()))) == curve


def judged(losses):
    rates = np.geomspace(LOWEST, HIGHEST, len(losses)).tolist()
    phase = Phase("fit", [SimpleNamespace(name="a")])
    return learning_rate._judged(rates, {"a": list(losses)}, phase, recipe())


def test_a_rate_is_stable_until_the_loss_gives_back_a_tenth_of_its_fall():
    rate = np.geomspace(LOWEST, HIGHEST, 200)
    fallen = 1 / (1 + rate / 1e-4)  # from 1 to nearly 0
    found = judged(np.where(rate < 0.1, fallen, 0.5) - 7)  # losses below zero are losses, too
    assert found.highest_stable == pytest.approx(0.1, rel=0.3)  # smoothing sees it come


def test_a_loss_that_only_varies_says_nothing():
    found = judged(1 + 0.1 * np.random.default_rng(0).normal(size=200))
    assert (found.suggested, found.highest_stable) == (None, None)
    assert "did not fall" in found.note


def test_it_ends_where_the_loss_is_gone():
    assert learning_rate._gone({"a": [1.0, 0.2, float("nan")]}, judged=True)
    assert learning_rate._gone({"a": [1.0, 0.2, 2.3]}, judged=True)
    assert not learning_rate._gone({"a": [1.0, 0.2, 2.1]}, judged=True)
    assert not learning_rate._gone({"a": [1.0, 0.2, 9.0]}, judged=False), "an opponent's loss may be anything"


def test_opponents_show_their_losses_and_no_rate_is_suggested(few):
    gan = {"kind": "gan", "latent_size": 2, "net": {"kind": "dense", "widths": [8]}}
    found = range_test(few, recipe(gan), TuneOptions())
    assert list(found.losses) == ["discriminator", "generator"]
    assert found.suggested is None
    assert "oppose" in found.note


def test_a_method_without_gradients_is_refused(few):
    with pytest.raises(InputError, match="patches learns without gradients"):
        range_test(few, recipe({"kind": "patches", "latent_size": 2}), TuneOptions())
