import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import ArraySource, images
from sklearn.datasets import make_blobs

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import clustering, group_contents, intervals, silhouettes
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.latents.file import LatentsFile, LatentsInMemory
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents
from ae_pipelines.samples.ingest import write_store

POINTS, GROUPS = make_blobs(300, 4, centers=3, cluster_std=0.2, random_state=0)


def latents(vectors=POINTS, labels=GROUPS, splits="train"):
    labels = [None] * len(vectors) if labels is None else [None if value is None else str(value) for value in labels]
    table = pd.DataFrame({"sample_id": [str(row) for row in range(len(vectors))], "split": splits, "label": labels})
    return LatentsInMemory(table, np.asarray(vectors, np.float32), {"encoder_sha256": "mine"})


def grouped(data, **options):
    model = clustering.fit_groups(data, ClusterOptions.model_validate(options))
    clusters = clustering.assign(model, data)
    return clusters, clustering.cluster_metrics(data, model, clusters["cluster"].to_numpy())


def test_well_separated_groups_are_found_exactly():
    clusters, metrics = grouped(latents())
    assert metrics["accuracy"] == metrics["nmi"] == metrics["ari"] == 1.0
    assert metrics["silhouette"] > 0.8
    assert metrics["inertia"] == pytest.approx(np.square(clusters["distance"]).sum(), rel=1e-3)


@pytest.mark.parametrize("labels", [None, np.zeros(300, int)])
def test_without_labels_of_two_classes_the_number_is_chosen(labels):
    assert grouped(latents(labels=labels))[1]["clusters"] == 3


def test_no_more_groups_are_tried_without_labels_than_there_are_different_latents():
    few = latents(np.repeat(POINTS[:5], 20, axis=0), labels=None)
    assert clustering.fit_groups(few, ClusterOptions()).tried.numbers == [2, 3, 4, 5]


def test_without_labels_accuracy_is_not_claimed():
    assert set(grouped(latents(labels=None), clusters=3)[1]) == {"clusters", "inertia", "silhouette"}


def test_accuracy_is_over_the_labelled_rows_only():
    labels = [value if row % 10 == 0 else None for row, value in enumerate(GROUPS)]
    metrics = grouped(latents(labels=labels))[1]
    assert metrics["accuracy"] == 1.0
    assert metrics["labelled_rows"] == 30
    assert metrics["accuracy_low"] == intervals.proportion(1.0, 30)[0]
    assert metrics["majority"] == max(np.bincount(GROUPS[::10])) / 30
    assert "nmi_low" not in metrics, "drawn again, rows that all agree say nothing"


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
        clustering.fit_groups(latents(vectors, None), ClusterOptions(clusters=clusters))


def test_a_group_of_one_far_sample_is_in_the_silhouettes_sample(monkeypatch):
    monkeypatch.setattr(silhouettes, "SAMPLED_ROWS", 20)
    vectors = np.concatenate([np.zeros((2000, 2)), [[1e4, 1e4]]]) + np.random.default_rng(0).normal(size=(2001, 2))
    assert grouped(latents(vectors, None), clusters=2)[1]["silhouette"] > 0.9


def test_distinct_rows_after_many_equal_ones_are_seen():
    vectors = np.concatenate([np.ones((400, 4)), POINTS])
    clustering.fit_groups(latents(vectors, None), ClusterOptions(clusters=3))


def test_noise_counts_as_wrong_and_is_matched_to_no_class():
    labels = np.array(["a", "a", "a", "b"])
    assert clustering.matched_accuracy(labels, np.array([-1, -1, 0, 1])) == 0.5
    assert clustering.matched_accuracy(labels, np.array([-1, -1, -1, -1])) == 0.0


def test_noise_has_no_part_in_the_silhouette():
    far = np.concatenate([POINTS, np.random.default_rng(0).uniform(-30, 30, (100, 4))])
    noise = np.concatenate([GROUPS, np.full(100, -1)])
    assert silhouettes.of_sample(far, noise) == pytest.approx(silhouettes.of_sample(POINTS, GROUPS), abs=1e-3)
    assert np.isnan(silhouettes.of_sample(far, np.where(noise == 0, 0, -1)))


def test_unseen_accuracy_matches_groups_by_train_labels_alone():
    splits = np.where(np.arange(300) % 2, "train", "test")
    renamed = np.where(splits == "train", GROUPS, (GROUPS + 1) % 3)  # all test labels are wrong
    data = latents(labels=renamed, splits=splits)
    _, metrics = grouped(data, clusters=3, fit_on="train")
    assert metrics["unseen_accuracy"] == 0.0
    assert metrics["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert "unseen_accuracy" not in grouped(data, clusters=3)[1]


def test_silhouette_and_bic_choose_the_number_of_blobs():
    wanted = {"from": 2, "to": 7}
    for options in ({"choose_by": "silhouette"}, {"kind": "gaussian_mixture"}):
        model = clustering.fit_groups(
            latents(labels=None), ClusterOptions.model_validate({"clusters": wanted, **options})
        )
        assert len(model.centres) == 3
        assert len(model.tried.values) == 6
    assert model.tried.criterion == "bic"


def test_labels_have_no_part_in_a_choice_over_a_range():
    chosen = ClusterOptions.model_validate({"clusters": {"from": 2, "to": 6}})
    swapped = np.random.default_rng(0).permutation(GROUPS)
    models = [clustering.fit_groups(latents(labels=labels), chosen) for labels in (GROUPS, swapped, None)]
    assert models[0].tried == models[1].tried == models[2].tried


def test_sizes_say_what_is_in_each_group():
    labels = ["a", "a", "b", None, "b", None]
    clusters = pd.DataFrame({"cluster": np.int32([0, 0, 0, 0, -1, 2]), "distance": [1, 2, 3, 6, np.nan, 5]})
    table = group_contents.cluster_sizes(latents(POINTS[:6], labels), clusters)
    assert table["cluster"].tolist() == [-1, 0, 2]
    assert table["size"].tolist() == [1, 4, 1]
    assert table["share"].tolist() == pytest.approx([1 / 6, 4 / 6, 1 / 6])
    assert table["mean_distance"].tolist() == pytest.approx([np.nan, 3, 5], nan_ok=True)
    assert table["label"].tolist()[:2] == ["b", "a"]
    assert table["label"].isna().tolist() == [False, False, True]
    assert table["purity"].tolist() == pytest.approx([1, 2 / 3, np.nan], nan_ok=True)
    assert table["labelled"].tolist() == [1, 3, 0]
    lows = [intervals.proportion(1, 1)[0], intervals.proportion(2 / 3, 3)[0], np.nan]
    assert table["purity_low"].tolist() == pytest.approx(lows, nan_ok=True)


def test_sizes_of_groups_without_labels_claim_no_purity():
    clusters = pd.DataFrame({"cluster": GROUPS.astype(np.int32), "distance": 1.0})
    table = group_contents.cluster_sizes(latents(labels=None), clusters)
    assert table["label"].isna().all()
    assert table["purity"].isna().all()


def test_the_samples_shown_are_those_nearest_to_their_centre(tmp_path):
    values = images(40)
    samples = write_store(tmp_path, ArraySource(values))
    shuffled = np.random.default_rng(0).permutation(40)
    clusters = pd.DataFrame(
        {
            "sample_id": samples.index["sample_id"].to_numpy()[shuffled],
            "cluster": np.int32(shuffled % 3 - 1),
            "distance": np.float32(100 - shuffled),
        }
    )
    found = group_contents.nearest_samples(samples, clusters)
    assert list(found) == [0, 1]
    last = [row for row in range(39, -1, -1) if row % 3 == 1][:12]
    order = samples.read()[last] / np.float32(255)
    np.testing.assert_allclose(found[0], order, rtol=1e-6)


def test_samples_that_are_gone_from_the_store_are_not_shown(tmp_path):
    samples = write_store(tmp_path, ArraySource(images(6)))
    ids = [*samples.index["sample_id"][:2], "gone"]
    clusters = pd.DataFrame({"sample_id": ids, "cluster": np.int32([0, 1, 0]), "distance": np.float32([1, 1, 0])})
    assert {group: len(values) for group, values in group_contents.nearest_samples(samples, clusters).items()} == {
        0: 1,
        1: 1,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clusters": 1}, "clusters: given 1, but input should be greater than 1"),
        ({"clusters": "ten"}, "clusters: given 'ten'"),
        ({"clusters": 2.5}, "clusters: given 2.5"),
        ({"clusters": {"from": 1, "to": 5}}, "clusters: from: given 1, but input should be greater than 1"),
        ({"clusters": {"from": 6, "to": 5}}, "from 6 to 5 is not a range: give the smaller number first"),
        ({"clusters": {"from": 6}}, "clusters: to: not given"),
        ({"fit_on": "test"}, "fit_on: given 'test'"),
        ({"kind": "kmean"}, "no clusterer called 'kmean'; .*Did you mean 'kmeans'"),
        ({"kind": "kmeans", "restart": 3}, "'kmeans': restart: no such option; .*Did you mean 'restarts'"),
        ({"kind": "kmeans", "restarts": 0}, "clusterer 'kmeans': restarts: given 0"),
        ({"kind": "kmeans", "choose_by": "bic"}, "kmeans has no bic to choose by"),
        ({"kind": "hdbscan", "clusters": 10}, "hdbscan finds the number of groups itself"),
    ],
)
def test_options_that_do_not_fit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        ClusterOptions.model_validate(given).check()


def test_hdbscan_needs_neither_labels_nor_a_number(tmp_path):
    options = ClusterOptions(kind="hdbscan")
    options.check_samples(write_store(tmp_path, ArraySource(images(60))))
    assert len(clustering.fit_groups(latents(labels=None), options).centres) == 3


def test_a_range_needs_as_many_samples_of_the_split_it_is_fitted_on(tmp_path):
    store = write_store(tmp_path, ArraySource(images(30), splits=["train", "test", "test"] * 10))
    options = ClusterOptions.model_validate({"clusters": {"from": 2, "to": 12}})
    options.check_samples(store)
    with pytest.raises(InputError, match="10 samples cannot make 12 groups"):
        options.model_copy(update={"fit_on": "train"}).check_samples(store)


def test_a_hand_made_file_with_nan_is_refused(tmp_path):
    path = tmp_path / "latents.parquet"
    vectors = POINTS.astype(np.float32)
    ids = latents().table.assign(seen=True)
    stream = LatentStream(
        iter([pa.RecordBatch.from_pandas(ids)]), iter([LatentBlock(vectors)]), {"encoder_sha256": "a"}
    )
    write_latents(path, stream)
    table = pq.read_table(path)
    vectors[7] = np.nan
    spoiled = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 4)
    seals.remove(path)
    pq.write_table(table.set_column(table.schema.get_field_index("latent"), "latent", spoiled), path)
    with pytest.raises(InputError, match="1 of 300 latents in .* have NaN or Inf"):
        clustering.fit_groups(LatentsFile(path), ClusterOptions())
