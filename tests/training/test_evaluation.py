import numpy as np
import pytest
import torch
from making import ArraySource, images
from torch.nn import functional as F

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.collapse import effective_rank
from ae_pipelines.training.evaluation import evaluate, judging, mean_terms
from ae_pipelines.training.loaders import batches_of_test_split
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe


def recipe(kind="autoencoder", corruptions=(), **options):
    return Recipe.model_validate(
        {
            "model": {"kind": kind, "latent_size": 8, "net": {"kind": "dense", "widths": [64]}, **options},
            "loader": {"batch_size": 64, "corruptions": list(corruptions)},
            "training": {"epochs": 4, "threads": 1, "learning_rate": 2e-3},
        }
    )


def test_test_terms_are_means_over_the_test_split(digits):
    plain = recipe()
    trained, _ = train(digits, plain)
    values = digits.take(digits.positions("test"))
    expected = ((trained.reconstruct(values) - values / 255.0) ** 2).mean()
    found = evaluate(trained, digits, plain)
    assert found.pop("test/autoencoder/reconstruction") == pytest.approx(expected, rel=1e-5)
    vectors = trained.encode(values)
    of_latents = {
        "latent_effective_rank": effective_rank(torch.from_numpy(vectors)),
        "latent_variance": vectors.var(0, ddof=1).mean(),
    }
    assert found == pytest.approx(of_latents, rel=1e-4)


def test_how_far_a_corruption_is_undone_is_measured_on_the_corrupted_test_split(digits):
    noisy = recipe(corruptions=[{"kind": "gaussian_noise", "noise_level": 0.5}])
    trained, _ = train(digits, noisy)
    found = evaluate(trained, digits, noisy)
    assert found["corrupted_error"] == pytest.approx(0.25, rel=0.03)
    assert found["times_lower"] == pytest.approx(found["corrupted_error"] / found["restored_error"])
    assert found["times_lower"] > 3


def test_small_samples_are_compared_after_bicubic_enlarging(digits):
    small = recipe(corruptions=[{"kind": "downscale"}])
    trained, _ = train(digits, small)
    values = digits.take(digits.positions("test"))
    x = torch.from_numpy(values) / 255.0
    enlarged = F.interpolate(F.avg_pool2d(x, 2), (8, 8), mode="bicubic").clamp(0, 1)
    found = evaluate(trained, digits, small)
    assert found["corrupted_error"] == pytest.approx(F.mse_loss(enlarged, x).item(), rel=1e-4)
    assert found["restored_error"] == pytest.approx(
        ((trained.reconstruct(values) - values / 255.0) ** 2).mean(), rel=1e-4
    )


def test_evaluating_again_gives_the_same_numbers_and_leaves_the_callers_random_state_alone(digits):
    drawing = recipe("vae")
    trained, _ = train(digits, drawing)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    assert evaluate(trained, digits, drawing) == evaluate(trained, digits, drawing)
    assert torch.rand(1) == expected


def test_labels_are_there_for_measures_also_if_training_did_not_want_them(digits):
    views = recipe("siamese", [{"kind": "gaussian_noise"}], pairs="views")
    trained, _ = train(digits, views)
    assert trained.contract.task.classes == ()
    assert evaluate(trained, digits, views)["verification_auroc"] > 0.6


def test_means_weigh_samples_equally_whatever_the_last_batch_holds(tmp_path):
    store = write_store(tmp_path, ArraySource(images(1500), splits=["test"] * 1400 + ["train"] * 100))
    plain = recipe()
    model = plain.model.build(plain.task(store))
    test = batches_of_test_split(store, plain, model, torch.device("cpu"))
    assert [len(batch.rows) for batch in test.epoch(0)] == [1024, 376]
    with judging(model, 0):
        found = mean_terms(model.phases()[0].players, test)["autoencoder/reconstruction"]
        x = torch.from_numpy(store.take(store.positions("test")) / np.float32(255))
        expected = (model.decode(model.encode(x)) - x).square().mean()
    assert found == pytest.approx(float(expected), rel=1e-4)
    assert model.training, "it was before"
