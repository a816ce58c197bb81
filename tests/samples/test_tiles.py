import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.samples import tiles
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.tiles import Tiling, in_tiles
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

random = np.random.default_rng(0)
NOISE = {"kind": "gaussian_noise", "noise_level": 0.1, "clip": True}


def smooth(height, width, channels=3):
    """(1, channels, height, width): no edge anywhere, so that each that is found was made."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = [0.5 + 0.3 * np.sin(x / 90 + shift) * np.cos(y / 70) for shift in range(channels)]
    return np.stack(planes)[None].astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.tuples(st.integers(2, 16), st.integers(2, 16)),
    overlap=st.integers(0, 8),
    times=st.integers(1, 3),
    exact=st.booleans(),
)
def test_work_that_is_done_pixel_by_pixel_gives_the_same_in_tiles(height, width, size, overlap, times, exact):
    images = random.random((2, 3, height, width), np.float32)

    def enlarged(x):
        assert not exact or x.shape[2:] == size
        return np.repeat(np.repeat(x[:, :2], times, axis=2), times, axis=3)

    found = in_tiles(enlarged, images, Tiling(size, min(overlap, min(size) - 1), exact))
    np.testing.assert_allclose(found, np.repeat(np.repeat(images[:, :2], times, 2), times, 3), atol=1e-5)


def test_tiles_that_disagree_fade_into_each_other():
    calls = iter(range(100))

    def dark_or_light(x):
        return np.full_like(x, next(calls) % 2)

    tile, overlap = 32, 16
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "BATCH_PIXELS", 1)
        found = in_tiles(dark_or_light, np.zeros((1, 1, tile, 10 * tile), np.float32), Tiling((tile, tile), overlap))
    assert found.min() < 0.01
    assert found.max() > 0.99
    assert np.abs(np.diff(found, axis=3)).max() < 2 / overlap


def test_no_more_pixels_than_the_budget_are_worked_on_at_once(monkeypatch):
    monkeypatch.setattr(tiles, "BATCH_PIXELS", 4 * 64)
    worked = []

    def counted(x):
        worked.append(x.size)
        return x

    in_tiles(counted, np.zeros((3, 1, 50, 70), np.float32), Tiling((8, 8), 4))
    assert max(worked) <= 4 * 64
    assert len(worked) > 50


def test_tiles_that_are_not_a_whole_number_of_times_larger_are_refused():
    with pytest.raises(InputError, match="tiles of 3 x 3 pixels became 8 x 8"):
        in_tiles(
            lambda x: np.zeros((len(x), 1, 8, 8), np.float32), np.zeros((1, 1, 9, 9), np.float32), Tiling((3, 3), 1)
        )


def steps(error, tiling):
    """Mean and largest step of an error (1, channels, height, width) between columns: where a tile begins or ends, and
    elsewhere."""
    width = error.shape[3]
    starts = np.array(tiles._starts(width, tiling.size[1], tiling.overlap))
    edges = {*starts[1:], *(starts[:-1] + tiling.size[1])}
    across = np.abs(np.diff(error, axis=3))  # step from column i to i + 1
    at_seam = np.array([column + 1 in edges for column in range(width - 1)])
    return [(part.mean(), part.max()) for part in (across[..., at_seam], across[..., ~at_seam])]


def untrained(digits, **options):
    torch.manual_seed(0)
    spec = SampleSpec(shape=(3, 32, 32), dtype="uint8")
    recipe = Recipe.model_validate(
        {"model": {"kind": "restorer", "width": 8, "blocks": 2, **options}, "loader": {"corruptions": [NOISE]}}
    )
    module = ModelChoice(**recipe.model.model_dump()).build(Task.plain(spec)).eval()
    return TrainedModel.of(module, recipe, Task.plain(spec), digits)


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_photo_restored_in_tiles_is_the_photo_restored_whole(halvings, digits):
    """Tiles begin at whole cells of the coarsest level; weights are random, so that borders of tiles matter most."""
    model, clean = untrained(digits, halvings=halvings), smooth(320, 600)
    with torch.inference_mode():
        whole = model.module.restore(torch.from_numpy(clean)).numpy()
    assert np.abs(model.restore(clean) - whole).max() < 0.01


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory):
    """An autoencoder that learned slopes of brightness, so that it restores them well."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] / 8 - 0.5
    middle, down, across = random.uniform([[0.2], [-0.4], [-0.4]], [[0.8], [0.4], [0.4]], (3, 2000))[..., None, None]
    slopes = np.clip(middle + down * y + across * x, 0, 1)[:, None]
    store = write_store(tmp_path_factory.mktemp("slopes"), ArraySource((255 * slopes).astype(np.uint8)))
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "autoencoder", "latent_size": 4, "net": {"kind": "dense", "widths": [32]}},
            "loader": {"batch_size": 64, "corruptions": [NOISE]},
            "training": {"epochs": 10, "threads": 1, "learning_rate": 3e-3},
        }
    )
    return train(store, recipe)[0]


@pytest.mark.parametrize("noise_level", [0.0, 0.1])
def test_an_autoencoder_restores_a_large_image_without_seams(denoiser, noise_level):
    clean = smooth(150, 300, channels=1)
    noise = noise_level * random.standard_normal(clean.shape)
    error = denoiser.restore(np.clip(clean + noise, 0, 1).astype(np.float32)) - clean
    assert np.abs(error).mean() < 0.03
    at_seams, elsewhere = steps(error, Tiling((8, 8), 4))
    assert at_seams[0] < 1.5 * elsewhere[0]
    assert at_seams[1] < 1.5 * elsewhere[1]
