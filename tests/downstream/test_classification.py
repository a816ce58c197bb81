import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from ae_pipelines.downstream import classification
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.errors import InputError
from ae_pipelines.latents import Latents

POINTS, GROUPS = make_blobs(300, 4, centers=3, cluster_std=0.2, random_state=0)
SPLITS = np.array(["train", "train", "test"] * 100)


def latents(labels=GROUPS, splits=SPLITS):
    labels = [None if value is None else str(value) for value in labels]
    table = pd.DataFrame({"sample_id": [str(row) for row in range(300)], "split": splits, "label": labels})
    return Latents(table, POINTS.astype(np.float32), {})


def judged(data):
    predictions = classification.predict(classification.fit_classifier(data, ClassifyOptions()), data)
    predicted = predictions["predicted"].to_numpy(dtype=str)
    return predictions, classification.classification_metrics(data, predicted, ClassifyOptions())


def test_separable_classes_are_told_apart_on_the_test_split():
    predictions, metrics = judged(latents())
    assert metrics == {"accuracy": 1.0, "knn_accuracy": 1.0, "train_rows": 200.0, "test_rows": 100.0}
    assert len(predictions) == 300
    assert predictions["probability"].between(1 / 3, 1).all()


def test_unlabelled_rows_teach_nothing_but_are_predicted():
    labels = [value if row % 3 == 2 or row < 60 else None for row, value in enumerate(GROUPS)]
    predictions, metrics = judged(latents(labels))
    assert metrics["train_rows"] == 40
    assert (predictions["predicted"] == GROUPS.astype(str)).all()


def test_labels_of_test_rows_are_never_learned_from():
    spoilt = np.where(SPLITS == "test", (GROUPS + 1) % 3, GROUPS)
    assert judged(latents(spoilt))[1]["accuracy"] == 0.0


def test_a_class_seen_only_in_test_is_counted_apart():
    labels = [
        str(value) if split == "train" or row > 30 else "new"
        for row, (value, split) in enumerate(zip(GROUPS, SPLITS, strict=True))
    ]
    metrics = judged(latents(labels))[1]
    assert metrics["test_rows_of_unseen_classes"] == 10
    assert metrics["test_rows"] == 90
    assert metrics["accuracy"] == 1.0


def test_confusion_and_table_count_every_labelled_test_row():
    data = latents()
    predicted = judged(data)[0]["predicted"].to_numpy(dtype=str)
    assert classification.confusion(data, predicted).to_numpy().sum() == 100
    table = classification.per_class_table(data, predicted)
    assert table["support"].sum() == 100
    assert (table["f1"] == 1).all()


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        ([None] * 300, SPLITS, "found 0 labelled of 0 .none."),
        (["one"] * 300, SPLITS, r"found 200 labelled of 1 \(one\)"),
        (GROUPS, np.array(["train"] * 300), "no labelled samples in the test split"),
    ],
)
def test_too_few_labels_are_refused(labels, splits, message):
    with pytest.raises(InputError, match=message):
        judged(latents(labels, splits))
