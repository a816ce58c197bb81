"""Latents that no longer tell samples apart are noticed."""

import logging

import numpy as np
import pytest
import torch

from ae_pipelines.training.collapse import FEWEST_STEPS, CollapsedError, effective_rank, spread
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

INVARIANCE_ALONE = {"kind": "vicreg", "variance": 0.0, "covariance": 0.0}


def trained(digits, model, epochs=1, learning_rate=3e-3, **training):
    recipe = Recipe.model_validate(
        {
            "model": {"net": {"kind": "dense", "widths": [32]}, "latent_size": 8} | model,
            "loader": {"batch_size": 128, "corruptions": [{"kind": "gaussian_noise", "noise_level": 0.2}]},
            "training": {"epochs": epochs, "threads": 1, "learning_rate": learning_rate, **training},
        }
    )
    return train(digits, recipe)


def test_the_effective_rank_is_the_number_of_directions_that_vary_alike():
    corners = torch.tensor([[1.0, 0, 0, 5], [-1, 0, 0, 5], [0, 1, 0, 5], [0, -1, 0, 5], [0, 0, 1, 5], [0, 0, -1, 5]])
    assert effective_rank(corners) == pytest.approx(3)
    assert effective_rank(torch.ones(9, 4)) == 1
    line = torch.arange(9.0)[:, None] * torch.tensor([1.0, 2.0, 3.0])
    assert effective_rank(line) == pytest.approx(1, abs=1e-3)


def test_the_effective_rank_equals_garridos_formula():
    z = np.random.default_rng(0).standard_normal((40, 5)) * [1, 2, 3, 4, 5]
    values = np.linalg.svd(z - z.mean(axis=0), compute_uv=False)
    shares = values / values.sum()
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(torch.from_numpy(z)) == pytest.approx(expected)


def test_the_spread_is_that_about_the_mean_beside_all():
    vectors = torch.tensor([[1.0, 3.0], [3.0, 1.0]])
    assert spread(vectors) == pytest.approx(2 / 5)
    assert spread(torch.full((4, 2), 7.0)) == 0


@pytest.mark.parametrize("validation_share", [0.1, 0.0])
def test_each_epoch_says_how_many_directions_latents_use_and_how_far_they_vary(digits, validation_share):
    _, history = trained(digits, {"kind": "autoencoder"}, epochs=2, validation_share=validation_share)
    assert all(1 < row["latents/effective_rank"] <= 8 and row["latents/variance"] > 0 for row in history)
    assert history[0]["latents/variance"] != history[1]["latents/variance"]


def test_nothing_is_said_of_latents_that_are_maps_or_of_none(digits):
    maps = {"kind": "autoencoder", "net": {"kind": "conv", "channels": [4], "latent": "map"}}
    for model in (maps, {"kind": "gan", "discriminator": {"kind": "dense", "widths": [8]}}):
        _, history = trained(digits, model)
        assert not any(name.startswith("latents/") for name in history[0])


@pytest.mark.parametrize("latent_size", [2, 8])
@pytest.mark.parametrize("model", [{"kind": "views", "projector": [16]}, {"kind": "autoencoder"}], ids=str)
def test_a_training_that_goes_well_raises_no_alarm(digits, caplog, model, latent_size):
    _, history = trained(digits, model | {"latent_size": latent_size}, epochs=12)
    assert len(history) * (len(digits.positions("train")) // 128) >= FEWEST_STEPS
    assert "collapsed" not in caplog.text


def test_views_that_only_have_to_agree_end_with_what_to_change(digits):
    model = {"kind": "views", "loss": INVARIANCE_ALONE, "projector": [8]}
    with pytest.raises(CollapsedError, match=r"latents have collapsed: .*of 8 at most.* Give a lower .*learning_rate"):
        trained(digits, model, epochs=20, learning_rate=1e-2)


def test_nothing_is_said_after_a_few_steps(digits):
    model = {"kind": "views", "loss": INVARIANCE_ALONE, "projector": [8]}
    _, history = trained(digits, model, epochs=9, learning_rate=1e-1)
    assert history[-1]["latents/variance"] < 1e-6


def test_other_methods_warn(digits, caplog):
    caplog.set_level(logging.WARNING)
    trained(digits, {"kind": "siamese", "margin": 1e-6}, epochs=12, learning_rate=1e-2)
    assert "latents have collapsed" in caplog.text
