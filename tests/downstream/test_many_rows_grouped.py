"""Groups of more rows than are held in memory; here a few hundred are many."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.datasets import make_blobs

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import clustering, contingency, group_contents, silhouettes
from ae_pipelines.downstream.clusterers.kmeans import KMeans
from ae_pipelines.downstream.clusterers.minibatch_kmeans import MiniBatchKMeans
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.latents import file
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.latents.labels import Labels

POINTS, BLOBS = make_blobs(1200, 4, centers=6, cluster_std=1.5, random_state=0)
SORTED = np.argsort(BLOBS, kind="stable")
SPLITS = np.where(np.arange(len(POINTS)) % 3, "train", "test")


class InParts(LatentsInMemory):
    """Latents of which only some rows may be in memory."""

    @property
    def vectors(self):
        raise MemoryError("all vectors at once")


def latents(points=POINTS, labels=BLOBS, kind=InParts):
    table = pd.DataFrame({"sample_id": np.arange(len(points)).astype(str), "split": SPLITS, "label": labels})
    table["label"] = table["label"].astype(str)
    return kind(table, np.asarray(points, np.float32), {"encoder_sha256": "mine"})


def whole():
    return latents(kind=LatentsInMemory)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    for module in (file, contingency, group_contents, silhouettes):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 100)


@pytest.fixture
def many(monkeypatch):
    """Makes more than 600 rows many."""
    for clusterer, start in ((KMeans, 200), (MiniBatchKMeans, 600)):
        monkeypatch.setattr(clusterer, "most_rows", 600)
        monkeypatch.setattr(clusterer, "start_rows", start)


def groups_of(data, model):
    return np.concatenate([model.assigner.predict(piece) for piece in data.vectors_in_pieces()])


@pytest.mark.parametrize("fit_on", ["all", "train"])
def test_means_of_many_rows_are_those_of_all_at_once(fit_on, request):
    options = ClusterOptions(clusters=6, fit_on=fit_on)
    expected = clustering.fit_groups(whole(), options)
    request.getfixturevalue("many")
    found = clustering.fit_groups(latents(), options)
    assert found.measures["inertia"] == pytest.approx(expected.measures["inertia"], rel=1e-4)
    agreeing = clustering.matched_accuracy(groups_of(whole(), expected).astype(str), groups_of(latents(), found))
    assert agreeing >= 0.995


@pytest.mark.parametrize("kind", ["kmeans", "minibatch_kmeans"])
def test_the_inertia_of_many_rows_is_over_all_of_them(kind, many):
    model = clustering.fit_groups(latents(), ClusterOptions(kind=kind, clusters=6))
    distances = np.linalg.norm(POINTS - model.centres[groups_of(latents(), model)], axis=1)
    assert model.measures["inertia"] == pytest.approx(np.square(distances).sum(), rel=1e-5)
    assert model.assigner.inertia_ == model.measures["inertia"]


@pytest.mark.parametrize("kind", ["kmeans", "minibatch_kmeans"])
def test_rows_sorted_by_their_group_make_the_same_groups(kind, many):
    best = KMeans(restarts=4).groupings(POINTS.astype(np.float32), [6], 0)
    model = clustering.fit_groups(latents(POINTS[SORTED], BLOBS[SORTED]), ClusterOptions(kind=kind, clusters=6))
    assert model.measures["inertia"] == pytest.approx(next(best).measures["inertia"], rel=0.01)


def test_test_rows_have_no_part_in_many_train_rows_groups(many):
    moved = POINTS + 100 * (SPLITS == "test")[:, None]
    models = [clustering.fit_groups(latents(points), ClusterOptions(fit_on="train")) for points in (POINTS, moved)]
    np.testing.assert_array_equal(models[0].centres, models[1].centres)


def test_the_number_of_groups_is_chosen_on_a_sample_and_the_best_made_to_fit_all(many):
    apart, blobs = make_blobs(1200, 4, centers=3, cluster_std=0.3, random_state=1)
    model = clustering.fit_groups(latents(apart, blobs), ClusterOptions(clusters={"from": 2, "to": 5}))
    assert len(model.centres) == 3
    means = [apart[blobs == blob].mean(axis=0) for blob in range(3)]
    np.testing.assert_allclose(sorted(map(tuple, model.centres)), sorted(map(tuple, means)), rtol=1e-4)


def test_a_sample_with_too_few_different_latents_is_refused_as_a_sample(many):
    with pytest.raises(InputError, match="200 of 1200 samples, drawn at random, have 1 different latents"):
        clustering.fit_groups(latents(np.ones((1200, 4))), ClusterOptions(clusters=3))


def test_metrics_are_scikit_learns_and_need_no_vectors_but_of_a_sample(monkeypatch):
    monkeypatch.setattr(silhouettes, "SAMPLED_ROWS", 300)
    draw = np.random.default_rng(0)
    labels = np.where(draw.random(1200) < 0.5, BLOBS.astype(object), None)
    data = latents()
    data._table["label"] = [None if label is None else f"class {label}" for label in labels]
    model = clustering.fit_groups(whole(), ClusterOptions(clusters=6, fit_on="train"))
    clusters = np.where(draw.random(1200) < 0.1, -1, groups_of(data, model)).astype(np.int32)
    found = clustering.cluster_metrics(data, model, clusters)
    known = data.labelled
    texts, groups = data.column("label")[known].to_numpy(), clusters[known]
    counts = pd.crosstab(texts, groups).to_numpy()
    assert found["nmi"] == pytest.approx(metrics.normalized_mutual_info_score(texts, groups), abs=1e-12)
    assert found["ari"] == pytest.approx(metrics.adjusted_rand_score(texts, groups), abs=1e-12)
    assert found["accuracy"] == pytest.approx(_best_accuracy(counts[:, 1:]) / known.sum(), abs=1e-12)
    assert found["majority"] == counts.sum(axis=1).max() / known.sum()
    assert found["labelled_rows"] == known.sum()
    rows = silhouettes.sampled_rows(clusters)
    assert len(rows) < 310
    assert found["silhouette"] == pytest.approx(metrics.silhouette_score(data.at(rows), clusters[rows]), abs=1e-12)


def _best_accuracy(counts):
    """Rows that agree where each class has the group that most of its rows are in, if these are all different."""
    assert len(set(counts.argmax(axis=1))) == len(counts)
    return counts.max(axis=1).sum()


@pytest.mark.parametrize("labels", [["a"] * 4, ["a", "a", "b", "b"], list("abcd")])
@pytest.mark.parametrize("clusters", [[0] * 4, [1, 1, 0, 0], [-1, -1, -1, 0], [3, 2, 1, 0]])
def test_agreement_is_scikit_learns_where_groups_are_one_or_as_many_as_rows(labels, clusters):
    found = contingency.agreement(contingency.counted(Labels.of(labels), np.array(clusters)))
    assert found["nmi"] == pytest.approx(metrics.normalized_mutual_info_score(labels, clusters), abs=1e-12)
    assert found["ari"] == pytest.approx(metrics.adjusted_rand_score(labels, clusters), abs=1e-12)


def test_sizes_and_distances_of_groups_are_summed_piece_by_piece():
    draw = np.random.default_rng(0)
    clusters = pd.DataFrame({"cluster": draw.integers(-1, 5, 1200).astype(np.int32)})
    clusters["distance"] = np.where(clusters["cluster"] < 0, np.nan, draw.random(1200)).astype(np.float32)
    table = group_contents.cluster_sizes(latents(), clusters)
    grouped = clusters.groupby("cluster")["distance"]
    assert table["size"].tolist() == grouped.size().tolist()
    assert table["mean_distance"].tolist() == pytest.approx(grouped.mean().tolist(), rel=1e-6, nan_ok=True)


def test_nearest_rows_are_kept_piece_by_piece():
    draw = np.random.default_rng(0)
    clusters = draw.integers(-1, 30, 1200).astype(np.int32)
    distances = np.where(clusters < 0, np.nan, draw.integers(0, 20, 1200)).astype(np.float32)  # many are equal
    found = group_contents.nearest_rows(clusters, distances)
    sizes = np.bincount(clusters[clusters >= 0])
    assert sorted(found) == sorted(np.argsort(-sizes, kind="stable")[:20])
    for group, rows in found.items():
        own = np.flatnonzero(clusters == group)
        np.testing.assert_array_equal(rows, own[np.argsort(distances[own], kind="stable")[:12]])
