import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from ae_pipelines.downstream import clustering
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.errors import InputError
from ae_pipelines.latents import Latents

POINTS, GROUPS = make_blobs(300, 4, centers=3, cluster_std=0.2, random_state=0)


def latents(vectors=POINTS, labels=GROUPS):
    labels = [None] * len(vectors) if labels is None else [None if value is None else str(value) for value in labels]
    table = pd.DataFrame({"sample_id": [str(row) for row in range(len(vectors))], "split": "train", "label": labels})
    return Latents(table, np.asarray(vectors, np.float32), {})


def grouped(data, **options):
    model = clustering.fit_kmeans(data, ClusterOptions(**options))
    clusters = clustering.assign(model, data)
    return clusters, clustering.cluster_metrics(data, model, clusters["cluster"].to_numpy())


def test_well_separated_groups_are_found_exactly():
    clusters, metrics = grouped(latents())
    assert metrics["accuracy"] == metrics["nmi"] == metrics["ari"] == 1.0
    assert metrics["silhouette"] > 0.8
    assert metrics["inertia"] == pytest.approx(np.square(clusters["distance"]).sum(), rel=1e-3)


def test_without_labels_the_number_must_be_given_and_accuracy_is_not_claimed():
    with pytest.raises(InputError, match=r"0 different labels.*--params=cluster.clusters=<number>"):
        grouped(latents(labels=None))
    assert set(grouped(latents(labels=None), clusters=3)[1]) == {"clusters", "inertia", "silhouette"}


def test_accuracy_is_over_the_labelled_rows_only():
    labels = [value if row % 10 == 0 else None for row, value in enumerate(GROUPS)]
    assert grouped(latents(labels=labels))[1]["accuracy"] == 1.0


def test_matched_accuracy_ignores_the_names_of_groups():
    labels = np.array(["a", "a", "b", "b", "c"])
    assert clustering.matched_accuracy(labels, np.array([2, 2, 0, 0, 1])) == 1.0
    assert clustering.matched_accuracy(labels, np.array([2, 2, 2, 0, 1])) == 0.8


def test_matched_accuracy_gives_each_class_at_most_one_group():
    labels = np.array(["a"] * 4)
    assert clustering.matched_accuracy(labels, np.array([0, 0, 1, 1])) == 0.5


@pytest.mark.parametrize(
    ("vectors", "clusters", "message"),
    [
        (POINTS[:4], 5, "4 samples cannot make 5 groups"),
        (POINTS[:5], 5, "5 samples cannot make 5 groups"),
        (np.ones((50, 4)), 2, "1 different latents, too few for 2 groups"),
    ],
)
def test_too_little_to_group_is_refused(vectors, clusters, message):
    with pytest.raises(InputError, match=message):
        clustering.fit_kmeans(latents(vectors, None), ClusterOptions(clusters=clusters))


def test_a_group_of_one_far_sample_is_in_the_silhouettes_sample(monkeypatch):
    monkeypatch.setattr(clustering, "SILHOUETTE_ROWS", 20)
    vectors = np.concatenate([np.zeros((2000, 2)), [[1e4, 1e4]]]) + np.random.default_rng(0).normal(size=(2001, 2))
    assert grouped(latents(vectors, None), clusters=2)[1]["silhouette"] > 0.9


def test_distinct_rows_after_many_equal_ones_are_seen():
    vectors = np.concatenate([np.ones((400, 4)), POINTS])
    clustering.fit_kmeans(latents(vectors, None), ClusterOptions(clusters=3))
