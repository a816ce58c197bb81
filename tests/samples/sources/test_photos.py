import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.photos import HEIGHT, PATCH, WIDTH, Photos


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("photos"), Photos())


def test_every_patch_is_accepted(store):
    assert (store.manifest.read, store.manifest.accepted, store.manifest.rejected) == (7400, 7400, 0)
    assert Photos().count() == 7400
    assert store.index.groupby(["label", "split"]).size().to_dict() == {
        (label, split): count for label in ("china", "flower") for split, count in (("train", 3050), ("test", 650))
    }


def test_an_id_says_where_its_patch_was_cut(store):
    photos = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    assert store.index["sample_id"].is_unique
    for sample_id, values in zip(store.index["sample_id"][::37], store.read()[::37], strict=True):
        source, name, top, left = sample_id.split("/")
        cut = photos[name][int(top) : int(top) + PATCH, int(left) : int(left) + PATCH]
        assert source == "photos"
        np.testing.assert_array_equal(values, cut.transpose(2, 0, 1))


def test_no_pixel_is_in_both_splits_and_patches_of_a_split_cover_its_region(store):
    seen = {split: np.zeros((HEIGHT, WIDTH), bool) for split in ("train", "test")}
    for sample_id, split in zip(store.index["sample_id"], store.index["split"], strict=True):
        top, left = map(int, sample_id.split("/")[2:])
        seen[split][top : top + PATCH, left : left + PATCH] = True
    assert not (seen["train"] & seen["test"]).any()
    assert seen["train"].mean() == pytest.approx(0.8, abs=0.01)
    assert seen["test"].mean() == pytest.approx(0.2, abs=0.01)


def test_the_spec_says_how_the_photos_were_cut(store):
    assert store.spec.shape == (3, 32, 32)
    assert store.spec.preprocessing == {"patch_size": 32, "stride": 8}
