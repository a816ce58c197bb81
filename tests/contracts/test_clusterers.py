"""What every registered clusterer must do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import clustering
from ae_pipelines.downstream.clusterers import CLUSTERERS
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.latents.file import LatentsInMemory

POINTS, BLOBS = make_blobs(360, 5, centers=4, cluster_std=0.4, center_box=(-20, 20), random_state=1)
OF_SOME_ROWS = [kind for kind in CLUSTERERS.kinds() if CLUSTERERS.maker(kind).most_rows is not None]
FINDERS = [kind for kind in CLUSTERERS.kinds() if CLUSTERERS.maker(kind).finds_number]


def latents(rows=slice(None), encoder="mine"):
    splits = np.where(np.arange(len(POINTS)) % 3, "train", "test")
    table = pd.DataFrame({"sample_id": np.arange(len(POINTS)).astype(str), "split": splits, "label": BLOBS.astype(str)})
    return LatentsInMemory(
        table.iloc[rows].reset_index(drop=True), POINTS[rows].astype(np.float32), {"encoder_sha256": encoder}
    )


def options(kind, **common):
    clusters = {} if kind in FINDERS else {"clusters": 4}
    return ClusterOptions.model_validate({"kind": kind, **clusters, **common})


def measured(model, data=None):
    data = data or latents()
    return clustering.cluster_metrics(data, model, clustering.assign(model, data)["cluster"].to_numpy())


@pytest.fixture(scope="module", params=CLUSTERERS.kinds())
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    return clustering.fit_groups(latents(), options(kind))


def test_well_separated_groups_are_found(model):
    metrics = measured(model)
    assert metrics["clusters"] == 4
    assert metrics["accuracy"] > 0.98
    assert metrics["silhouette"] > 0.8


def test_the_same_seed_finds_the_same_groups(kind, model):
    again = clustering.fit_groups(latents(), options(kind))
    pd.testing.assert_frame_equal(clustering.assign(again, latents()), clustering.assign(model, latents()))


def test_a_row_is_assigned_alike_whatever_stands_beside_it(model):
    rows = np.random.default_rng(0).permutation(len(POINTS))[:50]
    alone = clustering.assign(model, latents(rows))
    among = clustering.assign(model, latents()).iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_distances_are_to_the_centre_of_the_own_group(model):
    clusters = clustering.assign(model, latents())
    some = clusters["cluster"].to_numpy() >= 0
    expected = np.linalg.norm(POINTS[some] - model.centres[clusters["cluster"][some]], axis=1)
    np.testing.assert_allclose(clusters["distance"][some], expected, rtol=1e-4)
    assert clusters["distance"][~some].isna().all()
    assert list(clusters.dtypes.astype(str))[1:] == ["int32", "float32"]


def test_centres_lie_in_the_middle_of_their_groups(model):
    found = clustering.assign(model, latents())["cluster"].to_numpy()
    for group, centre in enumerate(model.centres):
        np.testing.assert_allclose(centre, POINTS[found == group].mean(axis=0), atol=0.3)


def test_unseen_rows_get_the_groups_of_their_like(kind):
    model = clustering.fit_groups(latents(), options(kind, fit_on="train"))
    assert measured(model)["unseen_accuracy"] > 0.98


def test_rows_of_the_test_split_have_no_part_in_groups_of_the_train_split(kind):
    moved = latents()
    moved.vectors[moved.in_split("test")] += 100
    models = [clustering.fit_groups(data, options(kind, fit_on="train")) for data in (latents(), moved)]
    np.testing.assert_allclose(models[0].centres, models[1].centres, rtol=1e-5)


@pytest.mark.parametrize("kind", OF_SOME_ROWS)
def test_a_sample_of_the_rows_is_enough(kind, monkeypatch):
    monkeypatch.setattr(CLUSTERERS.maker(kind), "most_rows", 280)
    assert measured(clustering.fit_groups(latents(), options(kind)))["accuracy"] > 0.98


def test_a_model_that_was_saved_assigns_as_before(model, tmp_path):
    clustering.assign(model, latents(slice(0, 9)))
    dataset = SkopsDataset(filepath=str(tmp_path / "model.skops"))
    dataset.save(model)
    expected = clustering.assign(model, latents())
    opened = dataset.load()
    assert opened.measures == model.measures
    pd.testing.assert_frame_equal(clustering.assign(opened, latents()), expected)


def test_latents_of_another_encoder_are_refused(model):
    with pytest.raises(InputError, match="fitted on 5 latents of encoder mine, but these are 5 of encoder another"):
        clustering.assign(model, latents(encoder="another"))


def test_a_number_of_groups_is_chosen_over_a_range_without_labels(kind):
    if kind in FINDERS:
        with pytest.raises(InputError, match=f"{kind} finds the number of groups itself"):
            options(kind, clusters={"from": 2, "to": 6}).check()
        return
    chosen = options(kind, clusters={"from": 2, "to": 6}, choose_by="silhouette")
    model = clustering.fit_groups(latents(), chosen)
    assert model.tried.numbers == [2, 3, 4, 5, 6]
    assert np.argmax(model.tried.values) == 2
    assert len(model.centres) == 4


def test_an_unknown_option_is_refused_by_name(kind):
    with pytest.raises(InputError, match=f"clusterer {kind!r}: cluster: no such option; .* Did you mean 'clusters'"):
        ClusterOptions(kind=kind, cluster=3).check()
