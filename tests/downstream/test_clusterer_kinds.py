import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.clusterers import CLUSTERERS, gaussian_mixture, spectral_knn
from ae_pipelines.downstream.clusterers.by_neighbours import ByNeighbours, grouping
from ae_pipelines.downstream.clustering import matched_accuracy
from ae_pipelines.downstream.graph import affinity

MOONS, HALVES = datasets.make_moons(600, noise=0.04, random_state=0)
MOONS = MOONS.astype(np.float32)


def made(kind, vectors, numbers, seed=0, **options):
    return list(CLUSTERERS.maker(kind)(**options).groupings(vectors, numbers, seed))


def blobs(count=3, rows=400, spread=0.5):
    points, groups = datasets.make_blobs(rows, 4, centers=count, cluster_std=spread, random_state=0)
    return points.astype(np.float32), groups.astype(str)


def agreement(labels, groups):
    return matched_accuracy(labels.astype(str), groups)


def test_kmeans_is_scikit_learns():
    points, _ = blobs()
    (found,) = made("kmeans", points, [3], restarts=4)
    reference = KMeans(3, n_init=4, random_state=0).fit(points)
    np.testing.assert_array_equal(found.groups, reference.labels_)
    assert found.measures == {"inertia": pytest.approx(reference.inertia_)}


def test_a_mixture_and_its_bic_are_scikit_learns():
    points, _ = blobs()
    (found,) = made("gaussian_mixture", points, [3], covariance="diag", restarts=2)
    reference = GaussianMixture(3, covariance_type="diag", n_init=2, reg_covar=1e-6, random_state=0)
    reference.fit(points.astype(np.float64))
    np.testing.assert_array_equal(found.groups, reference.predict(points))
    assert found.measures["bic"] == pytest.approx(reference.bic(points.astype(np.float64)))


@pytest.mark.parametrize("covariance", ["full", "diag", "tied"])
def test_a_mixture_of_many_rows_starts_on_some_and_ends_with_all(monkeypatch, covariance):
    points, _ = blobs(spread=2.0)
    (whole,) = made("gaussian_mixture", points, [3], covariance=covariance)
    monkeypatch.setattr(gaussian_mixture, "ALL_ROWS", 300)
    monkeypatch.setattr(gaussian_mixture, "START_ROWS", 100)
    (found,) = made("gaussian_mixture", points, [3], covariance=covariance)
    assert found.measures["bic"] == pytest.approx(whole.measures["bic"], rel=1e-3)
    assert len(found.groups) == len(points)


def test_the_bic_of_a_mixture_is_lowest_at_the_number_it_was_drawn_from():
    points, _ = blobs(3)
    values = [found.measures["bic"] for found in made("gaussian_mixture", points, [1, 2, 3, 4, 5])]
    assert np.argmin(values) == 2


def test_a_mixture_tells_a_tight_group_from_a_wide_one_where_kmeans_cuts_the_wide_one():
    draw = np.random.default_rng(0)
    points = np.concatenate([draw.normal(0, 4, (300, 2)), draw.normal((5, 0), 0.2, (300, 2))]).astype(np.float32)
    labels = np.repeat([0, 1], 300)
    (mixture,), (means,) = (made(kind, points, [2]) for kind in ("gaussian_mixture", "kmeans"))
    assert agreement(labels, mixture.groups) > 0.98
    assert agreement(labels, means.groups) < 0.9


def test_a_mixture_without_extent_is_refused_in_words_of_ours(monkeypatch):
    def ill_defined(*_):
        raise ValueError(
            "Fitting the mixture model failed because some components have ill-defined empirical covariance"
        )

    monkeypatch.setattr(GaussianMixture, "fit", ill_defined)
    with pytest.raises(InputError, match="give fewer groups, or a larger regularisation than 1e-06"):
        gaussian_mixture.fitted_mixture(np.zeros((9, 2)), 3, "full", 1, 1e-6, 0)


@pytest.mark.parametrize(("kind", "options"), [("spectral_knn", {}), ("umap_gaussian_mixture", {"components": 2})])
def test_groups_that_hang_together_are_found_where_kmeans_cuts_them(kind, options):
    (found,) = made(kind, MOONS, [2], **options)
    (means,) = made("kmeans", MOONS, [2])
    assert agreement(HALVES, found.groups) > 0.99
    assert agreement(HALVES, means.groups) < 0.9


def test_leading_eigenvectors_are_those_of_the_normalised_affinity():
    points, _ = datasets.make_blobs(150, 3, centers=1, random_state=0)
    found = spectral_knn.leading_eigenvectors(points.astype(np.float32), 15, 4, seed=0)
    weights = affinity(points.astype(np.float32), 15).toarray().astype(float)
    degrees = weights.sum(axis=1)
    expected = eigh(weights / np.sqrt(np.outer(degrees, degrees)))[1][:, ::-1][:, :4]
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1, atol=1e-3)


def test_hdbscan_leaves_scattered_rows_out_and_finds_the_number():
    points, labels = blobs(3, 300, 0.2)
    scattered = np.random.default_rng(0).uniform(-15, 15, (30, 4)).astype(np.float32)
    (found,) = made("hdbscan", np.concatenate([points, scattered]), [], minimum_size=30)
    assert len(found.centres) == 3
    assert agreement(labels, found.groups[:300]) > 0.95
    assert (found.groups[300:] == -1).mean() > 0.9
    assert found.measures["noise_share"] == (found.groups == -1).mean()


def test_hdbscan_may_find_nothing_but_noise():
    points = np.random.default_rng(0).uniform(size=(200, 8)).astype(np.float32)
    (found,) = made("hdbscan", points, [], minimum_size=100)
    assert found.centres.shape == (0, 8)
    assert (found.assigner.predict(points + 0.01) == -1).all()


def test_hdbscan_of_fewer_rows_than_a_group_is_refused():
    with pytest.raises(InputError, match="20 latents cannot make groups of 50: give a smaller minimum_size"):
        made("hdbscan", MOONS[:20], [])


def test_reference_rows_keep_their_group_and_others_follow_most_of_their_neighbours():
    reference = np.concatenate([np.zeros((20, 1)), np.ones((20, 1))]) + np.linspace(0, 0.1, 40)[:, None]
    groups = np.repeat([0, 1], 20).astype(np.int32)
    groups[3] = 1  # against its neighbours
    model = ByNeighbours(reference.astype(np.float32), groups)
    np.testing.assert_array_equal(model.predict(reference.astype(np.float32)), groups)
    near = reference.astype(np.float32)[[3, 30]] + np.float32(1e-5)
    np.testing.assert_array_equal(model.predict(near), [0, 1])


def test_groups_without_rows_are_left_out_and_noise_stays():
    found = grouping(MOONS[:5], np.array([4, -1, 2, 4, 2]), MOONS[:5])
    np.testing.assert_array_equal(found.groups, [1, -1, 0, 1, 0])
    np.testing.assert_allclose(found.centres, [MOONS[[2, 4]].mean(axis=0), MOONS[[0, 3]].mean(axis=0)], rtol=1e-5)


def test_affinity_is_symmetric_one_for_equal_rows_and_falls_to_exp_of_minus_four_at_the_last_neighbour():
    points = np.array([[0.0], [1.0], [3.0], [7.0], [7.0]], np.float32)
    weights = affinity(points, 2).toarray()
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_array_equal(weights.diagonal(), 0)
    assert weights[3, 4] == 1
    # 0's second neighbour is 3 away, and so is not among the two nearest of 2, which are 1 (at 2) and 0 (at 3)
    assert weights[0, 1] == pytest.approx(max(np.exp(-4 / 9), np.exp(-4 / 4)))
    assert weights[0, 2] == pytest.approx(np.exp(-4))


def test_affinity_does_not_depend_on_scale_or_order():
    points, _ = blobs(rows=60)
    weights = affinity(points, 5).toarray()
    np.testing.assert_allclose(affinity(1000 * points, 5).toarray(), weights, atol=1e-4)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(affinity(points[order], 5).toarray(), weights[order][:, order], atol=1e-5)
