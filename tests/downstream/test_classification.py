from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import make_blobs, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import calibration, class_metrics, classification, few_labels, intervals, labelling, saved
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.classifiers import regularisation
from ae_pipelines.downstream.classifiers.knn import NearestNeighbours
from ae_pipelines.downstream.classifiers.label_spreading import LabelSpreading
from ae_pipelines.downstream.classifiers.logistic_regression import Scale
from ae_pipelines.downstream.classifiers.references import References
from ae_pipelines.downstream.graph import affinity
from ae_pipelines.latents.file import LatentsFile, LatentsInMemory
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents

POINTS, GROUPS = make_blobs(300, 4, centers=3, cluster_std=0.2, random_state=0)
SPLITS = np.array(["train", "train", "test"] * 100)


HARD, CLASSES = make_classification(
    2000, 6, n_informative=3, n_redundant=0, n_classes=3, class_sep=0.7, n_clusters_per_class=1, random_state=0
)


def latents(labels=GROUPS, splits=SPLITS, points=POINTS, encoder="e"):
    labels = [None if value is None else str(value) for value in labels]
    table = pd.DataFrame({"sample_id": [str(row) for row in range(len(points))], "split": splits, "label": labels})
    return LatentsInMemory(table, points.astype(np.float32), {"encoder_sha256": encoder * 64})


def hard(**given):
    """Classes that overlap, half of the rows for training."""
    return latents(CLASSES, np.array(["train", "test"] * 1000), HARD, **given)


def judged(data, **options):
    options = ClassifyOptions(**options)
    classifier = classification.fit_classifier(data, options)
    return classification.predict(classifier, data), class_metrics.classification_metrics(data, classifier, options)


def test_separable_classes_are_told_apart_on_the_test_split():
    predictions, metrics = judged(latents())
    assert metrics.pop("log_loss") == pytest.approx(0, abs=0.01)
    assert metrics.pop("expected_calibration_error") == pytest.approx(0, abs=0.01)
    low, high = intervals.proportion(1.0, 100)
    assert metrics == {
        **{"accuracy": 1.0, "knn_accuracy": 1.0, "train_rows": 200.0, "test_rows": 100.0},
        **{"accuracy_low": low, "accuracy_high": high, "knn_accuracy_low": low, "knn_accuracy_high": high},
        **{"majority": 0.40, "transductive": 0.0, "calibrated": 1.0},
    }
    assert len(predictions) == 300
    assert predictions["probability"].between(1 / 3, 1).all()


def test_a_class_that_the_classifier_does_not_know_is_not_blamed_on_it():
    labels = [9 if value == 1 and row % 3 == 2 else value for row, value in enumerate(GROUPS)]
    data = latents(labels)
    classifier = classification.fit_classifier(data, ClassifyOptions())
    predictions, metrics = judged(data)
    table = class_metrics.per_class_table(data, predictions).set_index("label")
    assert table["recall"].to_dict() == {"0": 1, "2": 1, "9": 0}
    assert "classes_never_recognised" not in metrics
    assert class_metrics.cautions(metrics, table.reset_index(), classifier) == []


def test_an_accuracy_no_better_than_the_commonest_class_is_cautioned_against():
    labels = ["common" if row % 10 else "rare" for row in range(300)]
    draw = np.random.default_rng(0)
    data = latents(labels, points=draw.normal(size=(300, 2)))
    predictions, metrics = judged(data)
    table = class_metrics.per_class_table(data, predictions)
    assert metrics["majority"] == pytest.approx(0.9)
    assert metrics["classes_never_recognised"] == 1
    said = class_metrics.cautions(metrics, table, classification.fit_classifier(data, ClassifyOptions()))
    assert said == [
        "accuracy 0.900 is no better, as far as can be told, than always naming the commonest class, 0.900",
        "of 1 of 2 classes no test sample is recognised (recall 0): rare",
    ]


def test_unlabelled_rows_teach_nothing_but_are_predicted():
    labels = [value if row % 3 == 2 or row < 60 else None for row, value in enumerate(GROUPS)]
    predictions, metrics = judged(latents(labels))
    assert metrics["train_rows"] == 40
    assert (predictions["predicted"] == GROUPS.astype(str)).all()


def test_labels_of_test_rows_are_never_learned_from():
    spoilt = np.where(SPLITS == "test", (GROUPS + 1) % 3, GROUPS)
    assert judged(latents(spoilt))[1]["accuracy"] == 0.0


def test_a_class_seen_only_in_test_is_counted_apart_with_a_warning(caplog):
    labels = [
        str(value) if split == "train" or row > 30 else "new"
        for row, (value, split) in enumerate(zip(GROUPS, SPLITS, strict=True))
    ]
    metrics = judged(latents(labels))[1]
    assert metrics["test_rows_of_unseen_classes"] == 10
    assert metrics["test_rows"] == 90
    assert metrics["accuracy"] == 1.0
    assert "10 test samples are of classes without a train sample: new" in caplog.text


def test_confusion_and_table_count_every_labelled_test_row():
    data = latents()
    predictions = judged(data)[0]
    assert class_metrics.confusion(data, predictions).to_numpy().sum() == 100
    table = class_metrics.per_class_table(data, predictions)
    assert table["support"].sum() == 100
    assert (table["f1"] == 1).all()


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        ([None] * 300, SPLITS, "none of the 200 train samples has a label: give labels"),
        (["one"] * 300, SPLITS, r"found 200 labelled train samples of 1 class \('one'\): give"),
        (
            ["one"] * 298 + ["Typo", "one"],
            SPLITS,
            r"199 labelled train samples of 1 class \('one'\) and 1 of a class of their own, .* passed over \('Typo'\)",
        ),
        (range(300), SPLITS, "samples of 0 classes and 200 of a class of their own, .* and 190 more"),
        (GROUPS, np.array(["train"] * 300), "no labelled samples in the test split"),
    ],
)
def test_too_few_labels_are_refused(labels, splits, message):
    with pytest.raises(InputError, match=message):
        judged(latents(labels, splits))


@pytest.mark.parametrize("given", [2.0, None])
def test_logistic_regression_is_scikit_learns_on_latents_that_share_one_scale(given):
    train = np.arange(2000) % 2 == 0
    points = HARD * [1, 2, 3, 1, 5, 1] + 7
    classifier = classification.fit_classifier(
        latents(CLASSES, np.array(["train", "test"] * 1000), points),
        ClassifyOptions(calibration="none", regularisation=given),
    )
    scaled = (points - points[train].mean(axis=0)) / np.sqrt(points[train].var(axis=0).mean())
    strength = given or regularisation.chosen(scaled[train].astype(np.float32), CLASSES[train], 1000, seed=0)
    reference = LogisticRegression(C=strength).fit(scaled[train], CLASSES[train])
    found = np.concatenate(list(classifier.probabilities(points.astype(np.float32))))
    np.testing.assert_allclose(found, reference.predict_proba(scaled), atol=2e-3)
    assert (found.argmax(axis=1) == reference.predict(scaled)).mean() > 0.998


def test_all_latents_are_divided_by_one_number_so_that_pca_is_not_whitened():
    scale = Scale.of_all(HARD * [1, 2, 3, 1, 5, 1])
    of_each = scale.of(HARD * [1, 2, 3, 1, 5, 1]).std(axis=0)
    assert scale.deviation.shape == (1,)
    assert np.square(of_each).mean() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(of_each / of_each[0], (HARD * [1, 2, 3, 1, 5, 1]).std(axis=0) / HARD[:, 0].std(), 1e-4)
    assert (Scale.of_all(np.ones((5, 3), np.float32)).of(np.ones((2, 3), np.float32)) == 0).all()


def test_a_model_with_a_deviation_for_each_latent_as_earlier_versions_saved_it_opens_and_scales_as_before(tmp_path):
    classifier = classification.fit_classifier(hard(), ClassifyOptions())
    each = Scale(HARD.mean(axis=0).astype(np.float32), HARD.std(axis=0).astype(np.float32))
    saved.write(tmp_path / "classifier.skops", replace(classifier, places=each))
    found = saved.read(tmp_path / "classifier.skops").places.of(HARD.astype(np.float32))
    np.testing.assert_allclose(found, StandardScaler().fit_transform(HARD), atol=1e-4)


def test_nearest_neighbours_vote_as_scikit_learns_where_there_is_no_tie():
    train = np.arange(2000) % 2 == 0
    reference = KNeighborsClassifier(7).fit(HARD[train], CLASSES[train])
    votes = np.sort(reference.predict_proba(HARD), axis=1)
    clear = votes[:, -1] > votes[:, -2] + 0.01
    predictions, metrics = judged(hard(), kind="knn", k=7, neighbours=7)
    assert clear.mean() > 0.9
    assert (predictions["predicted"] == reference.predict(HARD).astype(str))[clear].all()
    assert metrics["knn_accuracy"] == reference.score(HARD[~train], CLASSES[~train])


def test_the_nearest_neighbour_settles_a_tie():
    points = np.array([[0.0], [1.0], [2.0]], np.float32)
    fitted = NearestNeighbours(k=3).prepare(points, 0).fit(np.arange(3), np.arange(3))
    found = fitted.probabilities(np.array([[0.6], [1.9]], np.float32))
    np.testing.assert_allclose(found, np.array([[7, 10, 7], [7, 7, 10]]) / 24, atol=1e-6)


def test_spreading_ends_at_its_closed_form():
    points, some = HARD[:300].astype(np.float32), CLASSES[:300]
    rows = np.concatenate([np.flatnonzero(group == some)[:labels] for group, labels in enumerate((8, 4, 2))])
    classes = some[rows]
    found = LabelSpreading(k=8, alpha=0.5).prepare(points, 0).fit(rows, classes).shares

    weights = affinity(points, 8).toarray()
    scale = np.diag(1 / np.sqrt(weights.sum(axis=0)))
    given = np.zeros((300, 3))
    given[rows, classes] = 1
    spread = np.linalg.inv(np.eye(300) - 0.5 * scale @ weights @ scale) @ given
    spread *= np.bincount(classes) / len(classes) / spread.sum(axis=0)
    np.testing.assert_allclose(found, spread / spread.sum(axis=1, keepdims=True), atol=1e-5)


def test_rows_that_no_label_reaches_get_the_shares_of_the_labels():
    points = np.concatenate([np.arange(6), 1000 + np.arange(6)])[:, None].astype(np.float32)
    shares = LabelSpreading(k=2).prepare(points, 0).fit(np.array([0, 1, 5]), np.array([0, 0, 1])).shares
    np.testing.assert_allclose(shares[6:], [[2 / 3, 1 / 3]] * 6, atol=1e-6)
    assert shares[0, 0] > 2 / 3 > shares[5, 0]


def test_a_row_equal_to_a_reference_is_spoken_for_by_it_alone():
    vectors = np.array([[0, 0], [0, 1], [0, 2], [9, 9]], np.float32)
    places = References(vectors, 2).of(np.array([[9, 9], [-0.0, 1], [0, 1.9]], np.float32))
    assert places.tolist()[:2] == [[3, 3], [1, 1]]
    assert set(places[2]) == {1, 2}


def test_a_transductive_kind_says_so_unless_it_may_look_at_train_rows_only():
    labels = [value if row % 3 == 2 or row < 30 else None for row, value in enumerate(GROUPS)]
    every, train = (judged(latents(labels), kind="label_spreading", fit_on=rows)[1] for rows in ("all", "train"))
    assert (every["transductive"], train["transductive"]) == (1, 0)
    assert every["accuracy"] == train["accuracy"] == 1


def test_what_looks_at_train_rows_only_does_not_depend_on_the_test_rows():
    elsewhere = np.where((SPLITS == "test")[:, None], 100.0, POINTS)
    options = ClassifyOptions(kind="label_spreading", fit_on="train", calibration="none")
    one, other = (
        next(classification.fit_classifier(latents(points=points), options).probabilities(POINTS.astype(np.float32)))
        for points in (POINTS, elsewhere)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_big_file_is_learned_from_by_a_part_that_holds_the_labelled_rows(monkeypatch):
    monkeypatch.setattr(classification, "LEARNED_ROWS", 50)
    labels = [value if row % 3 == 2 or row < 60 else None for row, value in enumerate(GROUPS)]
    options = ClassifyOptions(kind="label_spreading")
    classifier = classification.fit_classifier(latents(labels), options)
    assert len(classifier.places.vectors) == 50
    taught = POINTS[:60][SPLITS[:60] == "train"].astype(np.float32)
    assert (classifier.places.of(taught)[:, 0] == classifier.places.of(taught)[:, -1]).all()
    assert judged(latents(labels), kind="label_spreading")[1]["accuracy"] == 1


def test_latents_of_another_encoder_are_refused():
    classifier = classification.fit_classifier(latents(), ClassifyOptions())
    for use in (classification.predict, lambda *given: labelling.to_label(*given, ClassifyOptions())):
        with pytest.raises(InputError, match="the classifier was fitted on 4 latents of encoder eeeeee"):
            use(classifier, latents(encoder="f"))


def test_a_file_with_nan_is_refused(tmp_path):
    table = latents().table.assign(seen=True)
    ids = iter([pa.RecordBatch.from_pandas(table, preserve_index=False)])
    stream = LatentStream(ids, iter([LatentBlock(POINTS.astype(np.float32))]), {"encoder_sha256": "e" * 64})
    write_latents(tmp_path / "latents.parquet", stream)
    file = LatentsFile(tmp_path / "latents.parquet")
    assert judged(file)[1]["accuracy"] == 1
    content = pq.read_table(tmp_path / "latents.parquet")
    spoilt = np.where(np.arange(300)[:, None] == 7, np.nan, POINTS).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(spoilt.ravel()), 4)
    pq.write_table(content.set_column(4, "latent", column), tmp_path / "spoilt.parquet")
    with pytest.raises(InputError, match="1 of 300 latents in .* have NaN or Inf"):
        judged(LatentsFile(tmp_path / "spoilt.parquet"))


def test_a_temperature_is_found_again_and_changes_no_prediction():
    draw = np.random.default_rng(0)
    logits = 3 * draw.normal(size=(20_000, 4))
    true = np.exp(logits / 2.5)
    classes = (true.cumsum(axis=1) / true.sum(axis=1, keepdims=True) < draw.random((20_000, 1))).sum(axis=1)
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = calibration.fit_temperature(sure, classes)
    assert found.temperature == pytest.approx(2.5, rel=0.03)
    assert (found.corrected(sure).argmax(axis=1) == sure.argmax(axis=1)).all()


@pytest.mark.parametrize("method", ["temperature", "sigmoid", "isotonic"])
def test_calibration_mends_a_classifier_that_is_too_sure(method):
    noisy = np.where(np.random.default_rng(0).random(2000) < 0.3, (CLASSES + 1) % 3, CLASSES)
    data = latents(noisy, np.array(["train", "test"] * 1000), HARD)
    options = {"kind": "knn", "k": 2}
    plain, mended = (judged(data, calibration=name, **options)[1] for name in ("none", method))
    assert (plain["calibrated"], mended["calibrated"]) == (0, 1)
    assert mended["expected_calibration_error"] < 0.5 * plain["expected_calibration_error"]
    assert mended["log_loss"] < plain["log_loss"]
    if method == "temperature":
        assert mended["accuracy"] == plain["accuracy"]


def test_with_too_few_labels_of_a_class_probabilities_stay_as_they_are():
    labels = [value if row % 3 == 2 or row < 9 else None for row, value in enumerate(GROUPS)]
    assert np.bincount(GROUPS[:9][SPLITS[:9] == "train"]).min() < calibration.FOLDS
    one, other = (judged(latents(labels), calibration=name) for name in ("temperature", "none"))
    assert one[1]["calibrated"] == 0
    assert (one[0]["probability"] == other[0]["probability"]).all()


def test_log_loss_is_scikit_learns():
    metrics = judged(hard())[1]
    classifier = classification.fit_classifier(hard(), ClassifyOptions())
    found = np.concatenate(list(classifier.probabilities(HARD[1::2].astype(np.float32))))
    assert metrics["log_loss"] == pytest.approx(log_loss(CLASSES[1::2], found), rel=1e-4)


def test_the_calibration_error_of_a_table_made_by_hand():
    confidence = np.array([0.95, 0.97, 0.99, 1.0, 0.61, 0.65])
    table = calibration.reliability(confidence, np.array([1, 1, 0, 1, 0, 1]))
    assert table["rows"].tolist() == [2, 4]
    assert table["confidence"].tolist() == pytest.approx([0.63, 0.9775])
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert calibration.expected_calibration_error(table) == pytest.approx((2 * 0.13 + 4 * 0.2275) / 6)


def half_labelled():
    labels = [value if row % 2 else None for row, value in enumerate(CLASSES)]
    return latents(labels, np.array(["train", "train", "train", "test"] * 500), HARD)


def test_the_unlabelled_train_rows_that_are_least_certain_are_to_be_labelled_next():
    data, options = half_labelled(), ClassifyOptions(label_next=20)
    classifier = classification.fit_classifier(data, options)
    table = labelling.to_label(classifier, data, options)
    chosen = table["sample_id"].astype(int).to_numpy()
    assert len(set(chosen)) == 20
    assert (data.in_split("train") & ~data.labelled)[chosen].all()

    best = np.sort(np.concatenate(list(classifier.probabilities(data.vectors))), axis=1)
    margins = best[:, -1] - best[:, -2]
    np.testing.assert_allclose(table["margin"], margins[chosen], atol=1e-6)
    asked = np.sort(margins[data.in_split("train") & ~data.labelled])
    assert table["margin"].max() <= asked[200]
    assert table["group"].nunique() == 20


def test_rows_alike_are_not_all_labelled_next():
    points = np.concatenate([HARD, np.repeat(HARD[:1], 500, axis=0)])
    labels = [*(value if row % 2 else None for row, value in enumerate(CLASSES)), *[None] * 500]
    splits = np.array(["train", "train", "train", "test"] * 500 + ["train"] * 500)
    data, options = latents(labels, splits, points), ClassifyOptions(label_next=30)
    table = labelling.to_label(classification.fit_classifier(data, options), data, options)
    assert (table["sample_id"].astype(int) >= 2000).sum() <= 2


def test_fewer_unlabelled_rows_than_wanted_are_all_listed():
    labels = [None if row in (0, 3, 4) else value for row, value in enumerate(GROUPS)]
    data, options = latents(labels), ClassifyOptions()
    table = labelling.to_label(classification.fit_classifier(data, options), data, options)
    assert set(table["sample_id"]) == {"0", "3", "4"}


def test_where_all_rows_are_labelled_there_is_nothing_to_label():
    classifier = classification.fit_classifier(latents(), ClassifyOptions())
    empty = labelling.to_label(classifier, latents(), ClassifyOptions())
    some = labelling.to_label(classifier, half_labelled_blobs(), ClassifyOptions())
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == some.dtypes.to_dict()


@pytest.mark.parametrize("kind", ["logistic_regression", "knn", "label_spreading"])
def test_a_class_of_one_sample_is_passed_over_with_a_warning_that_names_it(kind):
    """One misspelt label is no reason to have no classifier."""
    labels = np.array(GROUPS, object)
    labels[[3, 5]] = "Typo", "Slip"  # of the train and of the test split
    data, options = latents(labels), ClassifyOptions(kind=kind, few_labels=[3])
    classifier = classification.fit_classifier(data, options)
    predictions, metrics = judged(data, kind=kind)
    assert (list(classifier.classes), classifier.calibrated) == (["0", "1", "2"], True)
    assert (metrics["accuracy"], metrics["train_rows"], metrics["test_rows"]) == (1, 199, 99)
    assert metrics["test_rows_of_unseen_classes"] == 1
    table = class_metrics.per_class_table(data, predictions).set_index("label")
    assert table["recall"].to_dict() == {"0": 1, "1": 1, "2": 1, "Slip": 0}
    assert [point["labels"] for point in few_labels.curve(data, options)] == [3, 199]
    (said,) = class_metrics.passed_over(data, classifier)
    assert said.startswith("1 of 4 classes of the train split are passed over, and never predicted")
    assert "Typo. Give" in said
    assert class_metrics.passed_over(latents(), classifier) == []


def half_labelled_blobs():
    return latents([value if row % 2 else None for row, value in enumerate(GROUPS)])


@pytest.mark.parametrize("rare", ["00", "zz"])
def test_a_class_that_the_learned_rows_do_not_have_is_not_judged(monkeypatch, rare):
    """Above so many labelled rows some are drawn, perhaps none of a rare class."""
    monkeypatch.setattr(classification, "LEARNED_ROWS", 60)
    labels = [rare if row in (0, 1, 2) else str(value) for row, value in enumerate(GROUPS)]
    train = np.flatnonzero(SPLITS == "train")
    drawn = {seed: classification.at_most_learned(train, ClassifyOptions(seed=seed)) for seed in range(20)}
    without = next(seed for seed, rows in drawn.items() if rows.min() > 1)
    predictions, metrics = judged(latents(labels), calibration="none", seed=without)
    test = (SPLITS == "test") & (np.array(labels) != rare)
    found = predictions["predicted"].to_numpy(str)[test] == np.array(labels)[test]
    assert metrics["accuracy"] == pytest.approx(found.mean())
    assert metrics["test_rows"] == test.sum()


def test_labels_that_only_the_test_split_has_are_refused_before_anything_is_fitted():
    labels = np.where(SPLITS == "test", GROUPS + 5, GROUPS)
    with pytest.raises(InputError, match=r"none of the classes in the test split \(5, 6, 7\) is in the train split"):
        classification.fit_classifier(latents(labels), ClassifyOptions())
