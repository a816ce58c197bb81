import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ae_pipelines.models.losses import structural_similarity as structural_similarity_of_losses
from ae_pipelines.restoration import quality

random = np.random.default_rng(0)
CLEAN = random.random((3, 20, 30), np.float32)
NOISY = np.clip(CLEAN + 0.1 * random.standard_normal(CLEAN.shape).astype(np.float32), 0, 1)


def test_psnr_of_an_error_of_a_tenth_is_20_db():
    assert quality.psnr(np.full((3, 4, 4), 0.6, np.float32), np.full((3, 4, 4), 0.5, np.float32)) == pytest.approx(20)
    assert quality.psnr(CLEAN, CLEAN) == pytest.approx(100)


def test_psnr_and_ssim_equal_scikit_images():
    assert quality.psnr(NOISY, CLEAN) == pytest.approx(peak_signal_noise_ratio(CLEAN, NOISY, data_range=1), rel=1e-5)
    reference = structural_similarity(
        CLEAN, NOISY, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert quality.ssim(NOISY, CLEAN) == pytest.approx(reference, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 9), (3, 8, 8), (1, 10, 11), (3, 12, 11), (3, 40, 33)])
def test_ssim_is_that_of_the_losses(shape):
    x = random.random(shape, np.float32)
    y = np.clip(x + 0.2 * random.standard_normal(shape).astype(np.float32), 0, 1)
    expected = structural_similarity_of_losses(*(torch.from_numpy(values)[None] for values in (x, y))).mean().item()
    assert quality.ssim(x, y) == pytest.approx(expected, abs=1e-5)


def test_grey_has_no_chroma_so_a_wrong_brightness_is_no_error_of_colour():
    brighter = CLEAN.mean(axis=0, keepdims=True).repeat(3, axis=0)
    assert quality.chroma_psnr(brighter + 0.1, brighter) == pytest.approx(100, abs=1)
    red = np.zeros((3, 4, 4), np.float32)
    red[0] = 1
    cb_and_cr = (0.168736**2 + 0.5**2) / 2
    assert quality.chroma_psnr(red, np.zeros_like(red)) == pytest.approx(-10 * np.log10(cb_and_cr), rel=1e-5)


def test_errors_inside_and_outside_add_up_to_the_mean_squared_error():
    marked = CLEAN.copy()
    marked[:, :5] = 1.0
    found = quality.by_place(NOISY, CLEAN, marked)
    assert sum(found.values()) == pytest.approx(np.mean((NOISY - CLEAN) ** 2), rel=1e-5)
    assert quality.by_place(marked, CLEAN, marked)["outside_error"] == 0
