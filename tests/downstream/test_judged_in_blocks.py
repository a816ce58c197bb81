"""What is measured of latents is the same whether they are held in memory or read a block at a time."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.downstream import calibration, class_metrics, classification, detection, few_labels, labelling
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.latents.file import LatentsFile, read_latents
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents

ROWS = 240
POINTS, NUMBERS = make_classification(
    ROWS, 4, n_informative=3, n_redundant=0, n_classes=3, class_sep=0.8, n_clusters_per_class=1, random_state=0
)
TABLE = pd.DataFrame(
    {
        "sample_id": [f"s/{row}" for row in range(ROWS)],
        "split": ["train", "train", "test"] * (ROWS // 3),
        "label": [None if row % 7 == 0 else f"class {'abc'[number]}" for row, number in enumerate(NUMBERS)],
        "seen": [True, False, False] * (ROWS // 3),
    }
)
OPTIONS = ClassifyOptions(few_labels=[12], draws=2, label_next=8)


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The same latents held in memory, and in a file of which no more than 50 rows are read at a time."""
    path, vectors = tmp_path / "latents.parquet", POINTS.astype(np.float32)
    ids = iter(pa.Table.from_pandas(TABLE, preserve_index=False).to_batches())
    about = {"encoder_sha256": "e" * 64, "normal_labels": '["class a"]'}
    monkeypatch.setattr("ae_pipelines.latents.stream.ROWS_PER_GROUP", 20)
    write_latents(path, LatentStream(ids, iter([LatentBlock(vectors, np.abs(vectors[:, 0]))]), about, rows_per_file=90))
    whole = read_latents(path)
    monkeypatch.setattr("ae_pipelines.base.part_files.ROWS_AT_ONCE", 50)
    monkeypatch.setattr("ae_pipelines.latents.file.ROWS_AT_ONCE", 50)
    monkeypatch.setattr("ae_pipelines.latents.file.KEPT_BYTES", 0)
    return whole, LatentsFile(path)


def table_file(path, pieces):
    TableStream(iter(pieces)).into(path)
    return TableFile(path)


def test_classifiers_are_judged_the_same(both, tmp_path):
    whole, streamed = both
    classifier = classification.fit_classifier(whole, OPTIONS)
    predictions = classification.predict(classifier, whole)
    pieces = (classification.predict(classifier, piece) for piece in streamed.pieces())
    read = table_file(tmp_path / "predictions.parquet", pieces)
    for measure in (class_metrics.classification_metrics, lambda *given: few_labels.curve(given[0], OPTIONS)[0]):
        ours, theirs = measure(whole, classifier, OPTIONS), measure(streamed, classifier, OPTIONS)
        assert theirs == pytest.approx(ours, rel=1e-6)  # log losses are averaged in float32
    for table in (
        lambda latents, found: class_metrics.reliability(latents, classifier),
        class_metrics.per_class_table,
        class_metrics.confusion,
        lambda latents, found: labelling.to_label(classifier, latents, OPTIONS),
    ):
        pd.testing.assert_frame_equal(table(streamed, read), table(whole, predictions), rtol=1e-12)


def test_sums_over_rows_give_what_all_rows_together_give(both, monkeypatch):
    whole, _ = both
    monkeypatch.setattr("ae_pipelines.latents.file.ROWS_AT_ONCE", 1000)
    classifier = classification.fit_classifier(whole, OPTIONS)
    test = classification.judged_rows(whole, classification.test_rows(whole), classifier)
    probabilities = np.concatenate(list(classifier.probabilities(whole.at(test))))
    truth = np.searchsorted(classifier.classes, whole.labels[test])
    right = probabilities.argmax(axis=1) == truth
    table = calibration.reliability(probabilities.max(axis=1), right)
    found = class_metrics.classification_metrics(whole, classifier, OPTIONS)
    assert found["accuracy"] == right.mean()
    assert found["majority"] == np.bincount(truth).max() / len(truth)
    log_loss, error = calibration.log_loss(probabilities, truth), calibration.expected_calibration_error(table)
    assert found["log_loss"] == pytest.approx(log_loss, rel=1e-12)
    assert found["expected_calibration_error"] == pytest.approx(error, rel=1e-12)


def test_tables_of_class_numbers_are_those_of_names(both):
    whole, _ = both
    predictions = classification.predict(classification.fit_classifier(whole, OPTIONS), whole)
    predictions.loc[2, "predicted"] = "a class without a row"
    test = classification.test_rows(whole)
    true, taken = whole.labels[test], predictions["predicted"].to_numpy(str)[test]
    counts = class_metrics.confusion(whole, predictions)
    assert counts.index.tolist() == counts.columns.tolist() == sorted({*true, *taken})
    np.testing.assert_array_equal(counts, confusion_matrix(true, taken, labels=counts.index))
    table = class_metrics.per_class_table(whole, predictions)
    expected = precision_recall_fscore_support(true, taken, labels=np.unique(true), zero_division=0.0)
    np.testing.assert_allclose(table[["precision", "recall", "f1", "support"]].to_numpy().T, expected, rtol=1e-12)
    assert table["support"].dtype == np.int64


def test_curves_of_few_labels_are_judged_by_no_more_rows_than_so_many(both, monkeypatch, caplog):
    whole, _ = both
    monkeypatch.setattr(few_labels, "JUDGED_ROWS", 10)
    with caplog.at_level("INFO"):
        points = few_labels.curve(whole, OPTIONS)
    assert "few labels: judged by 10 of 69 test rows" in caplog.text
    assert points[-1]["error_mean"] == pytest.approx(round(points[-1]["error_mean"], -1))  # of ten rows
    assert few_labels.bounds(points, 69) == few_labels.bounds(points, 10)


@pytest.mark.parametrize("kind", ["mahalanobis", "knn_distance", "reconstruction_mse"])
def test_detectors_find_and_measure_the_same(both, tmp_path, kind):
    whole, streamed = both
    options = DetectOptions(kind=kind, alarms_per_thousand=50)
    model, again = (detection.fit_detector(latents, options) for latents in both)
    found = detection.find_anomalies(model, whole)
    pieces = (detection.find_anomalies(again, piece) for piece in streamed.pieces())
    read = table_file(tmp_path / "anomalies.parquet", pieces)
    ours, theirs = (detection.detection_metrics(*given) for given in ((whole, model, found), (streamed, again, read)))
    assert theirs == pytest.approx(ours, rel=1e-6)
    assert ours["auroc"] > 0
    assert detection.auroc_of_each(streamed, options) == pytest.approx(detection.auroc_of_each(whole, options))


def test_a_reference_for_drift_is_that_of_the_whole(both, tmp_path):
    whole, streamed = both
    clusters = pd.DataFrame({"sample_id": TABLE["sample_id"], "cluster": (NUMBERS - 1).astype(np.int32)})
    ours = Distribution.of_training(whole, clusters)
    theirs = Distribution.of_training(streamed, table_file(tmp_path / "clusters.parquet", [clusters]))
    assert ours.table().equals(theirs.table())
    assert ours.seen == theirs.seen
