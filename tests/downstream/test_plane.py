"""Latents in the plane."""

import numpy as np
import pandas as pd
import pytest
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_info, threadpool_limits

from ae_pipelines.downstream import plane
from ae_pipelines.downstream.manifold import among_neighbours, umap_kept_compiled
from ae_pipelines.downstream.nearest import Index
from ae_pipelines.latents.file import LatentsInMemory


def latents(vectors):
    table = pd.DataFrame({"sample_id": [f"s{number}" for number in range(len(vectors))]})
    return LatentsInMemory(table, vectors, {"encoder_sha256": "0"})


def two_blobs(count, size=8):
    draw = np.random.default_rng(0)
    return (draw.normal(size=(count, size)) + 9 * (np.arange(count) % 2)[:, None]).astype(np.float32)


@pytest.mark.parametrize("layout", ["umap", "tsne", "pca"])
def test_a_layout_keeps_groups_apart_and_is_the_same_again(layout, monkeypatch):
    monkeypatch.setattr(plane, "FOUND_BY", {name: (find, 40) for name, (find, _) in plane.FOUND_BY.items()})
    vectors = two_blobs(60)  # 20 of them are placed by their neighbours
    places = plane.placed(vectors, layout, seed=1)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    _, nearest = Index(places).nearest(places, 5)
    assert ((nearest % 2) == (np.arange(60) % 2)[:, None]).all()
    np.testing.assert_array_equal(places, plane.placed(vectors, layout, seed=1))


def test_vectors_in_pieces_have_the_places_that_they_have_all_together():
    vectors, shown = two_blobs(60), np.array([0, 1, 2, 3, 8, 20, 21, 40, 59])
    whole = among_neighbours(lambda: [vectors], shown, lambda some: some[:, :2])
    pieces = among_neighbours(lambda: np.split(vectors, [3, 22, 30, 59]), shown, lambda some: some[:, :2])
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_array_equal(whole[shown], vectors[shown, :2])
    rest = np.setdiff1d(np.arange(60), shown)
    _, nearest = Index(vectors[shown]).nearest(vectors[rest], 5)
    np.testing.assert_allclose(whole[rest], vectors[shown][nearest, :2].mean(axis=1), rtol=1e-6)


def test_above_the_most_samples_a_random_part_is_laid_out_in_its_order():
    table = plane.plane(latents(two_blobs(50)), ["pca"], most=20, seed=0)
    numbers = table["sample_id"].str[1:].astype(int)
    assert len(table) == 20
    assert numbers.is_monotonic_increasing
    assert numbers.max() > 25
    assert list(table) == ["sample_id", "pca_x", "pca_y"]
    again = plane.plane(latents(two_blobs(50)), ["pca"], most=20, seed=0)
    pd.testing.assert_frame_equal(table, again)


def test_latents_of_two_dimensions_are_shown_as_they_are():
    vectors = two_blobs(9, size=2)
    table = plane.plane(latents(vectors), ["umap", "pca"], most=100, seed=0)
    assert plane.layouts_of(table) == ["latents"]
    np.testing.assert_array_equal(plane.places_in(table, "latents"), vectors)


ODD = {
    "all the same": np.ones((50, 4)),
    "one": np.ones((1, 3)),
    "three": two_blobs(3),
    "one dimension": two_blobs(9, size=1),
    "six": two_blobs(6),
    "one of many dimensions": np.ones((1, 600)),
    "many dimensions, all the same": np.ones((50, 600)),
    "many dimensions, one apart": np.eye(1, 600) * np.eye(50, 1),
}


@pytest.mark.parametrize("layout", ["umap", "tsne", "pca"])
@pytest.mark.parametrize("vectors", ODD.values(), ids=ODD)
def test_whatever_there_is_has_a_place(vectors, layout):
    assert np.isfinite(plane.placed(vectors.astype(np.float32), layout, seed=0)).all()


def test_principal_components_are_those_with_most_variance():
    vectors = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32) * [1, 9, 3]
    places = plane.placed(vectors.astype(np.float32), "pca", seed=0)
    assert np.abs(np.corrcoef(places[:, 0], vectors[:, 1])[0, 1]) > 0.99
    assert np.abs(np.corrcoef(places[:, 1], vectors[:, 2])[0, 1]) > 0.99


@pytest.mark.parametrize("shape", [(60, 8), (7, 8), (8, 8)])
def test_principal_components_of_many_dimensions_are_the_same_ones(monkeypatch, shape):
    vectors = np.random.default_rng(0).normal(size=shape) * np.arange(1, 9)
    expected = plane.placed(vectors.astype(np.float32), "pca", seed=0)
    monkeypatch.setattr(plane, "FEW_DIMENSIONS", 4)
    np.testing.assert_allclose(plane.placed(vectors.astype(np.float32), "pca", seed=0), expected, atol=1e-4)


def test_what_numba_compiles_of_umap_is_kept_for_the_next_process():
    assert umap_kept_compiled().distances.euclidean.stats.cache_path is not None


def test_tsne_takes_no_more_threads_than_were_asked_for(monkeypatch):
    def counted(self, vectors):
        seen.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
        return vectors[:, :2]

    seen = set()
    monkeypatch.setattr(TSNE, "fit_transform", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threadpool_limits(2, user_api="openmp"):  # as UMAP leaves it
        plane.placed(two_blobs(20), "tsne", seed=0)
    assert seen == {1}
