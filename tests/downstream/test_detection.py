import json

import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images
from sklearn.metrics import roc_auc_score

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import detection, intervals
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.recipe import Recipe


def latents(vectors, seen=None, splits=None, labels=None, normal=(), **columns):
    vectors = np.asarray(vectors, np.float32)
    count = len(vectors)
    table = pd.DataFrame({"sample_id": np.arange(count).astype(str), "split": splits or ["train"] * count})
    table["label"] = labels if labels is not None else [None] * count
    table["seen"] = np.ones(count, bool) if seen is None else seen
    for name, values in columns.items():
        table[name] = np.asarray(values, np.float32)
    return LatentsInMemory(table, vectors, {"encoder_sha256": "mine", "normal_labels": json.dumps(list(normal))})


def scores(data, **options):
    return detection.find_anomalies(detection.fit_detector(data, DetectOptions(**options)), data)["score"].to_numpy()


def errors(values, **about):
    return latents(np.zeros((len(values), 1)), reconstruction_error=values, **about)


def test_mahalanobis_counts_standard_deviations_along_each_direction():
    corners = np.array([[3, 0], [-3, 0], [0, 0.5], [0, -0.5]]) * np.sqrt(2)  # variances 9 and 0.25
    data = latents([*corners, [6, 0], [0, 1], [6, 1], [0, 0]], seen=[True] * 4 + [False] * 4)
    np.testing.assert_allclose(scores(data, kind="mahalanobis", ridge=1e-9)[4:], [2, 2, np.sqrt(8), 0], rtol=1e-4)


def test_mahalanobis_is_the_formula_of_the_empirical_covariance():
    vectors = np.random.default_rng(0).normal(size=(200_000, 3)) @ [[1, 2, 0], [0, 1, 0], [0.3, 0, 3]] + 100
    wanted = vectors[:50] - vectors.mean(axis=0)
    precision = np.linalg.inv(np.cov(vectors.T, bias=True))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", wanted, precision, wanted))
    np.testing.assert_allclose(scores(latents(vectors), kind="mahalanobis", ridge=1e-9)[:50], expected, rtol=2e-3)


def test_latents_that_never_vary_tell_no_distance():
    with pytest.raises(InputError, match="the 5 normal latents are all the same"):
        scores(latents(np.ones((5, 2))), kind="mahalanobis")


def test_neighbour_distance_is_the_mean_of_the_nearest_without_the_row_itself():
    data = latents([[0.0], [1.0], [3.0], [7.0], [5.0]], seen=[True] * 4 + [False])
    np.testing.assert_allclose(scores(data, kind="knn_distance", neighbours=2), [2, 1.5, 2.5, 5, 2], rtol=1e-5)


def test_a_sample_has_another_equal_one_as_its_neighbour():
    data = latents([[0.0], [0.0], [4.0]])
    np.testing.assert_allclose(scores(data, kind="knn_distance", neighbours=1), [0, 0, 4])


def test_at_most_so_many_references_are_kept():
    data = latents(np.random.default_rng(0).normal(size=(500, 3)))
    model = detection.fit_detector(data, DetectOptions(kind="knn_distance", references=100))
    assert len(model.scorer.vectors) == 100


def test_more_neighbours_than_references_are_refused():
    with pytest.raises(InputError, match="4 normal rows have no 5 neighbours each: give detect.neighbours below 4"):
        scores(latents(np.eye(4)), kind="knn_distance")


@pytest.mark.parametrize(("share", "expected"), [(0.001, 999), (0.0015, 999), (0.01, 990), (0.1, 900), (0.0001, 999)])
def test_the_threshold_is_the_conformal_quantile(share, expected):
    shuffled = np.random.default_rng(0).permutation(np.arange(1, 1000)).astype(np.float32)
    assert detection.quantile_of_new(shuffled, share) == expected


def test_new_scores_exceed_the_threshold_as_often_as_asked():
    draw = np.random.default_rng(0)
    exceeded = [
        (draw.normal(size=1000) > detection.quantile_of_new(draw.normal(size=199), 0.05)).mean() for _ in range(300)
    ]
    assert np.mean(exceeded) == pytest.approx(0.05, abs=0.004)


def test_the_threshold_is_set_on_train_rows_that_were_held_out():
    splits = ["train"] * 200 + ["test"] * 100
    seen = [True] * 100 + [False] * 200
    data = errors(np.r_[np.full(100, 1), np.full(100, 2), np.full(100, 3)], seen=seen, splits=splits)
    model = detection.fit_detector(data, DetectOptions(alarms_per_thousand=100))
    assert (model.threshold, model.calibration_rows, model.held_out, model.cautions) == (2, 100, True, [])
    metrics = detection.detection_metrics(data, model, detection.find_anomalies(model, data))
    assert metrics["measured_alarms_per_thousand"] == 1000
    assert metrics["anomalies"] == 100
    assert "auroc" not in metrics, "without normal labels nothing is known to be anomalous"


def test_too_few_held_out_rows_are_said_to_be_so():
    data = errors(np.arange(300), seen=np.arange(300) >= 99)
    (caution,) = detection.fit_detector(data, DetectOptions()).cautions
    assert "is set on 99 normal rows" in caution
    assert "expect about 10 alarms per 1,000" in caution
    assert "more reliable from 10,000 rows on" in caution


def test_without_held_out_rows_the_threshold_is_set_on_known_ones_and_says_so():
    model = detection.fit_detector(errors(np.arange(1000)), DetectOptions(alarms_per_thousand=10))
    assert not model.held_out
    assert model.calibration_rows == 1000
    assert "expect more than 10 alarms per 1,000: give recipe.training.validation_share" in model.cautions[0]


def test_metrics_are_those_of_the_known_anomalies_in_the_test_split():
    draw = np.random.default_rng(0)
    labels = np.array(["3"] * 3000 + ["5"] * 500 + [None] * 100, object)
    values = np.r_[draw.normal(5, 1, 3000), draw.normal(7, 1, 500), np.full(100, 50)]
    splits = np.where(np.arange(3600) % 3, "train", "test").tolist()
    data = errors(values, labels=labels, splits=splits, normal=["3"], seen=np.arange(3600) % 3 == 1)
    model = detection.fit_detector(data, DetectOptions(alarms_per_thousand=10))
    metrics = detection.detection_metrics(data, model, detection.find_anomalies(model, data))
    test = data.in_split("test")
    normal, odd = values[test & (labels == "3")], values[test & (labels == "5")]
    truth = np.r_[np.zeros(len(normal)), np.ones(len(odd))]
    assert metrics["auroc"] == pytest.approx(roc_auc_score(truth, np.r_[normal, odd]), abs=1e-6)
    assert metrics["recall"] == pytest.approx((odd > model.threshold).mean())
    assert metrics["measured_alarms_per_thousand"] == pytest.approx(1000 * (normal > model.threshold).mean())
    assert metrics["recall_at_one_per_thousand"] == pytest.approx((odd > np.sort(normal)[-2]).mean())
    assert metrics["calibration_rows"] == ((labels == "3") & ~test & ~data.seen).sum()
    assert (metrics["normal_rows"], metrics["anomalous_rows"]) == (len(normal), len(odd))
    assert (metrics["auroc_low"], metrics["auroc_high"]) == intervals.auroc(metrics["auroc"], len(normal), len(odd))
    assert (metrics["recall_low"], metrics["recall_high"]) == intervals.proportion(metrics["recall"], len(odd))
    alarms = metrics["measured_alarms_per_thousand"]
    assert metrics["measured_alarms_per_thousand_low"] / 1000 == intervals.proportion(alarms / 1000, len(normal))[0]
    of_each = detection.auroc_of_each(data, DetectOptions())
    assert of_each["auroc_reconstruction_mse"] == pytest.approx(metrics["auroc"], abs=1e-6)
    assert "auroc_blurred_residual" not in of_each


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"blurred_error", "reconstruction_error"}, "blurred_residual"),
        ({"reconstruction_error"}, "reconstruction_mse"),
        (set(), "mahalanobis"),
    ],
)
def test_the_first_detector_that_the_file_can_serve_is_taken(columns, kind):
    data = latents(np.random.default_rng(0).normal(size=(50, 2)), **dict.fromkeys(columns, np.arange(50)))
    assert detection.fit_detector(data, DetectOptions()).kind == kind


def test_a_missing_column_is_named_with_what_can_be_done():
    with pytest.raises(
        InputError, match="needs the column blurred_error.*give detect.kind=knn_distance or mahalanobis"
    ):
        scores(latents(np.eye(9)), kind="blurred_residual")


def test_an_error_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="1 of 3 rows have no finite reconstruction_error"):
        scores(errors([1, np.nan, 2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mahalanobi"}, "no detector called 'mahalanobi'.*Did you mean 'mahalanobis'"),
        ({"kind": "mahalanobis", "ridg": 1}, "ridg: no such option; known: ridge"),
        ({"neighbours": 3}, "no such option without a kind: neighbours"),
        ({"kind": "knn_distance", "references": 300_000}, "less than or equal to 200000"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(InputError, match=message):
        DetectOptions(**options).check()


@pytest.mark.parametrize("alarms", [0, 1000, -1])
def test_alarms_are_more_than_none_and_less_than_all(alarms):
    with pytest.raises(InputError, match="alarms_per_thousand"):
        DetectOptions.model_validate({"alarms_per_thousand": alarms})


def test_a_detector_that_needs_a_decoder_is_refused_before_training_one_without():
    siamese = Recipe.model_validate({"model": {"kind": "siamese"}})
    with pytest.raises(InputError, match="siamese has no decoder, so detect.kind=blurred_residual cannot run"):
        DetectOptions(kind="blurred_residual").check_recipe(siamese)
    DetectOptions(kind="mahalanobis").check_recipe(siamese)
    DetectOptions().check_recipe(siamese)


def test_a_detector_of_images_is_refused_before_training_on_a_table(tmp_path):
    table = write_store(
        tmp_path / "table", ArraySource(np.random.default_rng(0).normal(size=(30, 4)).astype("float32"))
    )
    with pytest.raises(InputError, match=r"'blurred_residual' is for images, given samples of shape \(4,\)"):
        DetectOptions(kind="blurred_residual").check_samples(table)
    DetectOptions().check_samples(table)
    DetectOptions(kind="blurred_residual").check_samples(write_store(tmp_path / "images", ArraySource(images(30))))


def test_the_oddest_come_first():
    values = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert values[detection.oddest(values, 4)].tolist() == [99, 98, 97, 96]
    assert len(detection.oddest(values[:3], 12)) == 3


def test_the_oddest_rows_of_a_table_say_which_columns_are_wrong():
    found = pd.DataFrame({"sample_id": ["r/7", "r/2"], "score": [3.0, 1.0], "anomaly": [True, False]}, index=[7, 2])
    residual = np.array([[3.0, 1, 0, 0], [0.0, 0, 0, 2]], np.float32)
    spec = SampleSpec(shape=(4,), dtype="float32", preprocessing={"columns": ["age", "b", "c", "d"]})
    listed = detection.listed(found, residual, spec)
    assert listed["sample_id"].tolist() == ["r/7", "r/2"]
    assert listed["reconstruction_error"].tolist() == [2.5, 1.0]
    assert listed["most_of_it"].tolist() == ["age: 2.2, b: 0.25, c: 0 of 2.5", "d: 1, age: 0, b: 0 of 1"]
    images = SampleSpec(shape=(1, 2, 2), dtype="uint8")
    assert list(detection.listed(found, residual.reshape(2, 1, 2, 2), images)) == list(found)
    assert list(detection.listed(found, None, spec)) == list(found)
