import numpy as np
import pytest
import torch
from making import ArraySource, images
from torch.nn import functional as F

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.restoration import quality
from ae_pipelines.restoration.baselines import baselines, blur, median
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("photos"), ArraySource(images(60, (3, 16, 12))))


def names(photos, *corruptions):
    return controls(photos, *corruptions).keys()


def controls(photos, *corruptions):
    recipe = Recipe.model_validate({"model": {"kind": "restorer"}, "loader": {"corruptions": list(corruptions)}})
    task = recipe.task(photos)
    module = ModelChoice(kind="restorer", width=4, blocks=1).build(
        Task(samples=task.samples, input_shape=task.input_shape)
    )
    return baselines(TrainedModel.of(module, recipe, task, photos), photos)


@pytest.mark.parametrize(
    ("corruption", "expected"),
    [
        ({"kind": "gaussian_noise"}, ["identity", "blur", "median", "non_local_means"]),
        ({"kind": "salt_and_pepper"}, ["identity", "blur", "median"]),
        ({"kind": "downscale"}, ["bicubic", "bilinear"]),
        ({"kind": "greyscale"}, ["grey", "mean_colour"]),
        ({"kind": "watermark"}, ["identity"]),
        ({"kind": "patches"}, ["identity", "biharmonic"]),
    ],
)
def test_every_task_has_its_classical_controls_the_one_that_does_nothing_first(photos, corruption, expected):
    assert list(controls(photos, corruption)) == expected


def test_all_of_them_give_images_of_the_clean_ones_shape(photos):
    for corruption in [{"kind": "gaussian_noise"}, {"kind": "downscale"}, {"kind": "greyscale"}, {"kind": "patches"}]:
        channels, size = (1, (16, 12)) if corruption["kind"] == "greyscale" else (3, (16, 12))
        size = (8, 6) if corruption["kind"] == "downscale" else size
        x = random.random((channels, *size), np.float32)
        for name, control in controls(photos, corruption).items():
            made = control(x)
            assert made.shape == (3, 16, 12), name
            assert 0 <= made.min() <= made.max() <= 1, name


@pytest.mark.parametrize("kind", ["gaussian_noise", "salt_and_pepper", "patches"])
def test_beside_another_corruption_too_they_give_images_of_the_clean_ones_shape(photos, kind):
    for first, shape in [("downscale", (3, 8, 6)), ("greyscale", (1, 16, 12))]:
        for name, control in controls(photos, {"kind": first}, {"kind": kind}).items():
            assert control(random.random(shape, np.float32)).shape == (3, 16, 12), name


@pytest.mark.parametrize("kind", ["gaussian_noise", "salt_and_pepper", "masking", "downscale", "patches"])
def test_images_of_one_channel_keep_it_and_their_sides(digits, kind):
    for name, control in controls(digits, {"kind": kind}).items():
        made = control(random.random((1, 9, 14), np.float32))
        assert made.shape == ((1, 18, 28) if kind == "downscale" else (1, 9, 14)), name


def test_non_local_means_of_one_channel_are_those_of_three_equal_ones(photos, digits):
    x = random.random((1, 20, 30), np.float32)
    of_one, of_three = (
        controls(s, {"kind": "gaussian_noise", "noise_level": 0.2})["non_local_means"](np.repeat(x, c, axis=0))
        for s, c in ((digits, 1), (photos, 3))
    )
    np.testing.assert_allclose(of_one[0], of_three[0], atol=0.02)


def test_the_blur_is_the_weighted_mean_of_nine_pixels():
    x = np.zeros((1, 5, 5), np.float32)
    x[0, 2, 2] = 1
    np.testing.assert_allclose(blur(x)[0, 1:4, 1:4], np.array([[1, 2, 1], [2, 6, 2], [1, 2, 1]]) / 18, rtol=1e-6)


def test_the_median_drops_single_pixels():
    x = np.full((3, 6, 6), 0.5, np.float32)
    x[:, 3, 3] = 1
    assert (median(x) == 0.5).all()


def test_non_local_means_makes_a_flat_noisy_image_nearly_flat(photos):
    flat = np.full((3, 32, 32), 0.5, np.float32)
    noisy = np.clip(flat + 0.1 * random.standard_normal(flat.shape), 0, 1).astype(np.float32)
    denoised = controls(photos, {"kind": "gaussian_noise", "noise_level": 0.1})["non_local_means"](noisy)
    assert quality.psnr(denoised, flat) > quality.psnr(noisy, flat) + 8


def test_mean_colour_keeps_the_luma_and_has_the_tint_of_the_train_samples(photos):
    grey = np.full((1, 4, 4), 0.4, np.float32)
    made = controls(photos, {"kind": "greyscale"})["mean_colour"](grey)
    luma = np.tensordot([0.299, 0.587, 0.114], made, axes=1)
    np.testing.assert_allclose(luma, 0.4, atol=1e-3)
    mean = photos.take(photos.positions("train")).mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(made[:, 0, 0] - made[1, 0, 0], mean - mean[1], atol=2e-3)


def test_biharmonic_filling_continues_a_ramp_into_the_hole(photos):
    ramp = np.linspace(0.2, 0.8, 20, dtype=np.float32)[None, None].repeat(20, axis=1).repeat(3, axis=0)
    holed = ramp.copy()
    holed[:, 8:12, 8:12] = 0
    filled = controls(photos, {"kind": "patches"})["biharmonic"](holed)
    np.testing.assert_allclose(filled, ramp, atol=1e-2)


def test_where_the_clean_image_is_known_only_what_was_changed_is_a_hole(photos):
    clean = np.linspace(0.2, 0.8, 20, dtype=np.float32)[None, None].repeat(20, axis=1).repeat(3, axis=0)
    clean[:, :, 12:] = 0  # black by nature
    holed = clean.copy()
    holed[:, 8:12, 4:8] = 0
    fill = controls(photos, {"kind": "patches"})["biharmonic"]
    np.testing.assert_allclose(fill(holed, clean)[:, :, :12], clean[:, :, :12], atol=0.05)
    np.testing.assert_array_equal(fill(holed, clean)[:, :, 12:], 0)
    np.testing.assert_array_equal(fill(clean, clean), clean)


def test_an_image_that_is_all_hole_has_nothing_to_be_filled_from(photos):
    fill = controls(photos, {"kind": "patches"})["biharmonic"]
    black = np.zeros((3, 9, 9), np.float32)
    assert fill(black) is None
    assert fill(black, black + 0.5) is None
    assert fill(np.zeros((3, 65, 64), np.float32)) is None, "too large"


def test_bicubic_is_what_torch_makes(photos):
    x = random.random((3, 8, 6), np.float32)
    expected = F.interpolate(torch.from_numpy(x)[None], scale_factor=2, mode="bicubic")[0].clamp(0, 1)
    np.testing.assert_allclose(controls(photos, {"kind": "downscale"})["bicubic"](x), expected, atol=1e-6)
