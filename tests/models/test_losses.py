import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from skimage.metrics import structural_similarity

from ae_pipelines.models.losses import LOSSES, LossChoice

OPTIONS = {"mix": {"losses": [{"kind": "mse"}, {"kind": "ssim"}], "weights": [0.5, 2]}}
SIZES = [(1, 28, 28), (3, 32, 32), (2, 11, 17), (3, 40, 13)]


def built(kind, **options):
    return LossChoice(kind=kind, **options).build()


def pair(*shape, seed=0):
    """A target of blobs and a noisy copy of it, in (0, 1)."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:2], 3, 3, generator=random)
    target = torch.nn.functional.interpolate(coarse, shape[2:], mode="bilinear").clamp(0.05, 0.95)
    return (target + 0.1 * torch.randn(shape, generator=random)).clamp(0.01, 0.99), target


def similarity(x, y):
    """Mean of scikit-image's SSIM over the batch."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    each = [structural_similarity(a, b, channel_axis=0, **options) for a, b in zip(x.numpy(), y.numpy(), strict=True)]
    return np.mean(each)


@pytest.mark.parametrize("kind", LOSSES.kinds())
def test_a_loss_is_lowest_where_output_equals_target(kind):
    loss = built(kind, **OPTIONS.get(kind, {}))
    _, target = pair(2, 3, 12, 14)
    raw = torch.logit(target)
    at_target = loss(raw, target, True)
    noise = torch.randn(raw.shape, generator=torch.Generator().manual_seed(1))
    for nudge in (-0.1, 0.1, 0.1 * noise):
        assert loss(raw + nudge, target, True) > at_target


@pytest.mark.parametrize("kind", LOSSES.kinds())
def test_bfloat16_losses_are_near_float32(kind):
    loss = built(kind, **OPTIONS.get(kind, {}))
    x, target = pair(2, 3, 12, 14)
    raw = torch.logit(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = loss(raw.bfloat16(), target, True)
    assert half.item() == pytest.approx(loss(raw, target, True).item(), rel=0.02)


def test_mse_is_the_mean_over_features_and_batch():
    raw = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert built("mse")(raw, torch.zeros(2, 2), False) == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_l1_is_the_mean_over_features_and_batch():
    raw = torch.tensor([[1.0, -2.0], [3.0, -4.0]])
    assert built("l1")(raw, torch.zeros(2, 2), False) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert built("l1")(torch.zeros(2, 2), torch.full((2, 2), 0.25), True) == pytest.approx(0.25)


def test_bce_of_an_undecided_output_is_log_2():
    loss = built("bce")(torch.zeros(3, 5), torch.rand(3, 5), True)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("kind", ["bce", "ssim"])
def test_losses_of_bounded_data_refuse_unbounded_data(kind):
    with pytest.raises(ValueError, match=f"{kind} needs .* use mse .*for unbounded data"):
        built(kind)(torch.zeros(1, 1, 12, 12), torch.zeros(1, 1, 12, 12), False)


@pytest.mark.parametrize("size", SIZES)
def test_ssim_is_that_of_scikit_image(size):
    x, target = pair(4, *size)
    loss = built("ssim")(torch.logit(x), target, True)
    assert loss.item() == pytest.approx(1 - similarity(x, target), abs=1e-5)


@pytest.mark.parametrize("size", [(9, 6), (6, 9)])
def test_ssim_of_a_smaller_image_uses_the_largest_odd_window_that_fits(size):
    x, y = (image[0, 0].double().numpy() for image in pair(1, 1, *size))
    gaussian = np.exp(-np.square(np.arange(-2, 3)) / (2 * 1.5**2))
    window = np.outer(gaussian, gaussian) / gaussian.sum() ** 2  # 5 × 5 fits into 6
    mean = {name: correlate2d(v, window, "valid") for name, v in [("x", x), ("y", y)]}
    xx, yy, xy = (
        correlate2d(a * b, window, "valid") - mean[i] * mean[j]
        for a, b, i, j in [(x, x, "x", "x"), (y, y, "y", "y"), (x, y, "x", "y")]
    )
    top = (2 * mean["x"] * mean["y"] + 1e-4) * (2 * xy + 9e-4)
    expected = top / ((mean["x"] ** 2 + mean["y"] ** 2 + 1e-4) * (xx + yy + 9e-4))
    raw, target = (torch.tensor(image)[None, None].float() for image in (x, y))
    for window_size in (5, 11):
        loss = built("ssim", window=window_size)(torch.logit(raw), target, True)
        assert loss.item() == pytest.approx(1 - expected.mean(), abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (3, 2)])
def test_ssim_takes_images_of_any_size(size):
    x, target = pair(2, 1, *size)
    assert 0 <= built("ssim")(torch.logit(x), target, True) <= 2


def test_descending_the_ssim_loss_raises_the_similarity_of_scikit_image():
    x, target = pair(2, 3, 20, 20)
    raw = torch.logit(x).requires_grad_()
    optimiser = torch.optim.Adam([raw], 0.05)
    before = similarity(x, target)
    for _ in range(40):
        optimiser.zero_grad()
        built("ssim")(raw, target, True).backward()
        optimiser.step()
    assert similarity(raw.detach().sigmoid(), target) > before + 0.2


def test_ssim_refuses_vectors():
    with pytest.raises(ValueError, match=r"ssim needs images .* given samples of shape \(7,\): use mse"):
        built("ssim")(torch.zeros(2, 7), torch.zeros(2, 7), True)


def test_ssim_refuses_an_even_window():
    with pytest.raises(ValueError, match="given 8: use 7 or 9"):
        built("ssim", window=8)


def test_mix_is_the_weighted_sum_of_its_losses():
    x, target = pair(2, 1, 12, 12)
    given = (torch.logit(x), target, True)
    mixed = built("mix", losses=[{"kind": "l1"}, {"kind": "ssim", "window": 7}], weights=[0.3, 2])
    expected = 0.3 * built("l1")(*given) + 2 * built("ssim", window=7)(*given)
    assert mixed(*given).item() == pytest.approx(expected.item(), rel=1e-5)


def test_mix_is_described_with_every_option_of_its_losses():
    choice = LossChoice(kind="mix", losses=[{"kind": "ssim"}, {"kind": "mse"}], weights=[1, 0.5])
    losses = [{"kind": "ssim", "window": 11}, {"kind": "mse"}]
    assert choice.described() == {"kind": "mix", "losses": losses, "weights": [1, 0.5]}


@pytest.mark.parametrize(
    ("losses", "weights", "complaint"),
    [
        ([{"kind": "mse"}], [1, 2], "given 1 losses and 2 weights"),
        ([], [], "losses: given \\[\\], but"),
        ([{"kind": "mse"}], [-1], "weights.0: given -1, but"),
    ],
)
def test_mix_needs_a_weight_for_each_loss_and_a_loss(losses, weights, complaint):
    with pytest.raises(ValueError, match=complaint):
        built("mix", losses=losses, weights=weights)


def test_mix_refuses_what_one_of_its_losses_refuses():
    with pytest.raises(ValueError, match="ssim needs images"):
        built("mix", losses=[{"kind": "mse"}, {"kind": "ssim"}], weights=[1, 0])(
            torch.zeros(2, 7), torch.zeros(2, 7), True
        )
