import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.evaluation import evaluate
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

COLOUR = SampleSpec(shape=(3, 12, 8), dtype="uint8")


def restorer(corruption=None, spec=COLOUR, **options):
    """A restorer for what a corruption makes of samples like these."""
    seen = CorruptionChoice(**corruption).build().corrupted_spec(spec) if corruption else spec
    torch.manual_seed(0)
    task = Task(samples=spec, input_shape=seen.shape)
    return ModelChoice(kind="restorer", width=8, blocks=1, **options).build(task).eval()


def silent(model):
    """The model, with a net that gives zero everywhere."""
    for parameter in model.net.last.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def batch(x, target):
    return Batch(x, target, torch.arange(len(x)))


@pytest.mark.parametrize(
    ("corruption", "shape", "expected"),
    [
        ({"kind": "gaussian_noise"}, (3, 5, 7), lambda x: x),
        ({"kind": "greyscale"}, (1, 5, 7), lambda x: x.repeat(1, 3, 1, 1)),
        (
            {"kind": "downscale", "factor": 2},
            (3, 5, 7),
            lambda x: F.interpolate(x, (10, 14), mode="bicubic").clamp(0, 1),
        ),
    ],
)
def test_without_learning_an_image_only_gets_its_size_and_channels(corruption, shape, expected):
    x = torch.rand(2, *shape)
    torch.testing.assert_close(silent(restorer(corruption)).restore(x), expected(x))


def test_loss_terms_of_a_silent_net_are_the_corrupted_error_and_a_hundredth_of_one_bit():
    target = torch.rand(4, 3, 12, 8)
    x = target.clone()
    x[:, :, :3] += 0.25
    terms = silent(restorer(local=True)).terms(batch(x, target))
    assert terms["reconstruction"].item() == pytest.approx(0.25**2 * 3 / 12)
    assert terms["places"].item() == pytest.approx(0.01 * math.log(2), rel=1e-5)


def test_places_learn_where_an_image_was_changed():
    model = restorer(local=True)
    target = torch.rand(4, 3, 12, 8)
    x = target.clone()
    x[..., :4] = 0
    with torch.no_grad():
        model.net.last.bias.view(4, 4)[3] = 50.0  # all pixels, for certain
    everywhere = model.terms(batch(x, target))["places"].item()
    assert everywhere == pytest.approx(0.01 * 50 / 2, rel=0.05), "wrong about half of them"


def test_a_local_restorer_leaves_what_it_thinks_unchanged_exactly_as_it_is():
    model, x = restorer(local=True, certainty=0.95), torch.rand(2, 3, 9, 11)
    places = model.net.last.bias.view(4, 4)[3]
    with torch.no_grad():
        places.fill_(9.0)  # all but certain
        assert not torch.equal(model.restore(x), x)
        places.fill_(1.0)  # a chance of 73 %
    assert torch.equal(model.restore(x), x)


@pytest.mark.parametrize("halvings", [1, 3])
def test_what_is_in_an_image_is_restored_alike_wherever_it_is(halvings):
    model = restorer(halvings=halvings)
    scene = torch.rand(1, 3, 200, 200)
    shift, far = 2**halvings, 60  # whole cells of the coarsest level, and pixels from any border
    here, there = model.restore(scene[..., : 200 - shift]), model.restore(scene[..., shift:])
    torch.testing.assert_close(
        here[..., far + shift : -far, far:-far][..., shift:],
        there[..., far + shift : -far, far:-far][..., :-shift],
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize(
    ("spec", "corruption", "message"),
    [
        (SampleSpec(shape=(5,), dtype="float32"), None, "takes images"),
        (SampleSpec(shape=(3, 8, 8), dtype="float32"), None, "takes images"),
        (SampleSpec(shape=(3, 9, 8), dtype="uint8"), {"kind": "downscale"}, "5 x 4 pixels are to become 9 x 8"),
    ],
)
def test_what_cannot_be_restored_is_refused(spec, corruption, message):
    with pytest.raises(InputError, match=message):
        restorer(corruption, spec)


def test_images_with_neither_one_channel_nor_as_many_as_clean_ones_are_refused():
    with pytest.raises(InputError, match="makes images of 3 channels from ones with as many, or one, given 2"):
        ModelChoice(kind="restorer").build(Task(samples=COLOUR, input_shape=(2, 12, 8)))


def test_places_in_an_image_that_is_enlarged_are_refused():
    with pytest.raises(InputError, match="leave model.local out"):
        restorer({"kind": "downscale"}, local=True)


def recipe(corruptions, **training):
    return Recipe.model_validate(
        {
            "model": {"kind": "restorer", "width": 16, "blocks": 2},
            "loader": {"batch_size": 64, "corruptions": corruptions},
            "training": {"epochs": 10, "threads": 1, "learning_rate": 3e-3, "schedule": "one_cycle", **training},
        }
    )


def test_a_recipe_with_nothing_to_undo_is_refused(digits):
    with pytest.raises(InputError, match="restorer learns to undo corruptions, but loader.corruptions is empty"):
        recipe([]).check_samples(digits)


def test_noise_on_digits_is_undone_and_the_trained_model_restores_other_sizes(digits):
    noisy = recipe([{"kind": "gaussian_noise", "noise_level": 0.2, "clip": True}])
    trained, _ = train(digits, noisy)
    assert evaluate(trained, digits, noisy)["times_lower"] > 1.3
    assert trained.contract.latent_shape == ()
    four = digits.take(digits.positions("test")[:4]) / np.float32(255)  # one above the other: 32 x 8 pixels
    sheet = four.transpose(1, 0, 2, 3).reshape(1, 1, 32, 8)
    corrupted = np.clip(sheet + 0.2 * np.random.default_rng(0).standard_normal(sheet.shape), 0, 1).astype(np.float32)
    restored = trained.restore(corrupted)
    assert restored.shape == sheet.shape
    assert np.mean((restored - sheet) ** 2) < 0.75 * np.mean((corrupted - sheet) ** 2)
