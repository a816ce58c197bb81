"""The encoder of patches against plain formulas."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice, patch_features
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.patch_features import PatchFeatures, k_means
from ae_pipelines.models.patches import Patches
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe


def images(count, *shape, seed=0):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def learned(shape=(3, 12, 11), grid=2, stride=2):
    torch.manual_seed(0)
    features = PatchFeatures(shape, patch_size=4, stride=stride, centroids=7, grid=grid, iterations=3)
    features.learn(images(500, shape[0], 4, 4))
    return features


def test_features_are_those_of_zca_whitened_patches_in_plain_formulas():
    features, x = learned(), images(5, 3, 12, 11, seed=1)

    def normalised(patches):
        centred = patches - patches.mean(1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(1, keepdims=True) + features.floor.item())

    known = normalised(images(500, 3, 4, 4).double().flatten(1).numpy())
    variances, axes = np.linalg.eigh(np.cov(known.T, bias=True))
    zca = axes @ np.diag((variances.clip(0) + patch_features.WHITENING_FLOOR) ** -0.5) @ axes.T
    centroids = features.centroids.double().numpy() @ features.filters.flatten(1).double().numpy()  # turned back
    patches = F.unfold(x.double(), 4, stride=2).mT.reshape(-1, 48).numpy()
    whitened = (normalised(patches) - known.mean(0)) @ zca
    distances = np.linalg.norm(whitened[:, None] - centroids, axis=2)
    triangle = np.maximum(distances.mean(1, keepdims=True) - distances, 0).reshape(5, 5, 4, 7)
    expected = F.adaptive_avg_pool2d(torch.from_numpy(triangle).permute(0, 3, 1, 2), 2).flatten(1).sqrt()
    torch.testing.assert_close(features(x).double(), expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("shape", "grid"), [((1, 12, 12), 2), ((1, 14, 17), 2), ((1, 16, 13), 3)])
def test_every_patch_counts_in_the_parts_of_an_image(shape, grid):
    features = learned(shape, grid, stride=1)
    maps = features.triangle(features.whitened(images(2, *shape)))
    rows, columns = maps.shape[2:]
    pooled = features.pooled(maps).view(2, 7, grid, grid)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    height, width = rows - (grid - 1) * (rows // grid), columns - (grid - 1) * (columns // grid)
    parts = [maps[..., :height, :width], maps[..., :height, -width:], maps[..., -height:, :width]]
    parts += [maps[..., -height:, -width:]]
    for (row, column), part in zip(corners, parts, strict=True):
        torch.testing.assert_close(pooled[..., row, column], part.mean((2, 3)))


def test_brightness_and_contrast_of_an_image_change_next_to_nothing():
    features, x = learned(), images(4, 3, 12, 11, seed=2)
    features.floor.fill_(1e-9)
    torch.testing.assert_close(features(0.3 + 0.4 * x), features(x), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(features(x.flip(3)), features(x), atol=1e-2)


def test_slices_of_a_batch_give_the_same_features():
    model = ModelChoice(kind="patches", centroids=9).build(Task.plain(SampleSpec(shape=(1, 12, 12), dtype="uint8")))
    x = images(10, 1, 12, 12)
    together = model.encode(x)
    assert model.encoder.features.samples_at_once > len(x)
    model.encoder.features.samples_at_once = 3
    torch.testing.assert_close(model.encode(x), together)


def test_k_means_finds_groups_that_lie_apart_and_its_inertia_never_rises():
    torch.manual_seed(0)
    centres = 10 * torch.eye(4)
    points = centres.repeat(50, 1) + 0.1 * torch.randn(200, 4)
    found = [k_means(points, 4, 8) for _ in range(10)]
    centroids, inertia = min(found, key=lambda one: one[1][-1])
    nearest = torch.cdist(centres, centroids).min(1).values
    assert nearest.max() < 0.1
    assert (inertia.diff() <= 1e-4).all()
    assert inertia[-1] == pytest.approx(0.04, rel=0.3), "the variance of the noise, over four values"


def test_a_centroid_that_no_point_is_nearest_to_starts_again():
    torch.manual_seed(0)
    points = torch.cat([torch.zeros(500, 2), torch.tensor([[5.0, 5.0]])])
    centroids, inertia = k_means(points, 8, 30)
    assert torch.isfinite(centroids).all()
    assert inertia[-1] < inertia[0]


class OneBatch:
    def __init__(self, x) -> None:
        self.x, self.batch_size = x, len(x)

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch, start=0):
        yield Batch(self.x, self.x, torch.arange(len(self.x)))


def test_latents_have_mean_0_and_variance_1_on_average_and_pca_keeps_the_most():
    torch.manual_seed(0)
    task = Task.plain(SampleSpec(shape=(1, 9, 8), dtype="uint8"))
    model: Patches = ModelChoice(kind="patches", latent_size=4, centroids=10).build(task)
    x = images(60, 1, 9, 8).pow(3)
    model.complete(OneBatch(x))
    z, features = model.encode(x), model.encoder.in_slices(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    assert z.var(0, correction=0).mean() == pytest.approx(1, abs=1e-3)
    expected = torch.linalg.svdvals(features - features.mean(0))[:4]
    torch.testing.assert_close(
        torch.linalg.svdvals(z) / expected, torch.full((4,), (z.norm() / expected.norm()).item())
    )


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((14,), {}, "takes images"),
        ((1, 3, 9), {}, "at least 4 x 4 pixels, given 3 x 9"),
        ((1, 9, 8), {"patch_size": 5}, "patch_size is 5, but images are 9 x 8: give at most half the shorter side, 4"),
        ((1, 8, 8), {"stride": 8}, "only 1 patches of 4 x 4 in a row or column, fewer than model.grid, 2"),
        ((1, 8, 8), {"centroids": 3, "latent_size": 20}, "12 features, fewer than model.latent_size, 20"),
    ],
)
def test_what_it_cannot_do_is_refused_in_words(shape, options, message):
    dtype = "uint8" if len(shape) == 3 else "float32"
    with pytest.raises(InputError, match=message):
        ModelChoice(kind="patches", **options).build(Task.plain(SampleSpec(shape=shape, dtype=dtype)))


def test_too_few_samples_for_the_dictionary_are_refused():
    task = Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8"))
    model = ModelChoice(kind="patches", centroids=60, latent_size=2).build(task)
    with pytest.raises(InputError, match="50 patches of 2 train samples cannot make a dictionary of 60"):
        model.complete(OneBatch(images(2, 1, 8, 8)))


def recipe(**training):
    model = {"kind": "patches", "latent_size": 5, "centroids": 20}
    return Recipe.model_validate(
        {"model": model, "loader": {"batch_size": 128}, "training": {"threads": 1, **training}}
    )


def test_streamed_samples_give_latents_too(digits):
    streaming = recipe()
    streaming = streaming.model_copy(update={"loader": streaming.loader.model_copy(update={"memory_budget": 40_000})})
    trained, history = train(digits, streaming)
    assert streaming.loader.streams(digits)
    assert trained.encode(digits.read()).std() == pytest.approx(1, rel=0.1)
    assert [row["epoch"] for row in history if row["best_so_far"]] == [10]
    assert history[-1]["train/patches/inertia"] < 0.9 * history[0]["train/patches/inertia"]


def test_what_was_learned_is_kept_beside_the_checkpoint(digits, tmp_path, monkeypatch):
    first, history = train(digits, recipe(), CheckpointFile(tmp_path / "c"))

    def complete(model, train):
        raise AssertionError("learned again")

    monkeypatch.setattr(Patches, "complete", complete)
    again, same = train(digits, recipe(), CheckpointFile(tmp_path / "c"))
    assert same == history
    np.testing.assert_array_equal(again.encode(digits.read()), first.encode(digits.read()))
    with pytest.raises(AssertionError):
        train(digits, recipe(seed=1), CheckpointFile(tmp_path / "c"))


def test_further_epochs_and_an_initial_encoder_are_refused(digits, tmp_path):
    with pytest.raises(InputError, match="until_epoch is 3, but this method has no epochs"):
        train(digits, recipe(until_epoch=3), CheckpointFile(tmp_path / "c"))
    train(digits, recipe())[0].save(tmp_path)
    with pytest.raises(InputError, match="learns its encoder without gradients, so it does not start from"):
        train(digits, recipe(initial_encoder=str(tmp_path)))
    other = {"model": {"kind": "autoencoder"}, "training": {"initial_encoder": str(tmp_path)}}
    with pytest.raises(InputError, match="does not have the layers of this recipe's"):
        Recipe.model_validate(other).check()
