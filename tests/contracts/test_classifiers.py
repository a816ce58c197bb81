"""What every registered classifier must do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.classifiers import CLASSIFIERS
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.latents.file import Latents

POINTS, CLASSES = make_blobs(240, 5, centers=4, cluster_std=0.5, random_state=3)
VECTORS, UNSEEN = POINTS[:180].astype(np.float32), POINTS[180:].astype(np.float32)
LABELLED = np.arange(0, 180, 9)
NAMES = np.array(["ant", "bee", "cat", "dog"])


@pytest.fixture(params=CLASSIFIERS.kinds())
def kind(request):
    return request.param


@pytest.fixture
def prepared(kind):
    return CLASSIFIERS.maker(kind)().prepare(VECTORS, 0)


def probabilities(prepared, rows=LABELLED, classes=CLASSES[LABELLED], vectors=VECTORS):
    return prepared.fit(rows, classes).probabilities(prepared.places.of(vectors))


def latents(count=180, labels=CLASSES, splits=None):
    splits = np.array(["train", "train", "test"] * 60)[:count] if splits is None else splits
    ids = [f"sample/{row}" for row in range(count)]
    table = pd.DataFrame({"sample_id": ids, "split": splits, "label": NAMES[labels[:count]]})
    return Latents(table, VECTORS[:count], {"encoder_sha256": "e" * 64})


def test_probabilities_of_each_row_are_a_distribution(prepared):
    found = probabilities(prepared)
    assert found.shape == (180, 4)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_a_few_labels_tell_groups_apart_also_in_rows_that_were_not_prepared(prepared):
    assert (probabilities(prepared).argmax(axis=1) == CLASSES[:180]).all()
    assert (probabilities(prepared, vectors=UNSEEN).argmax(axis=1) == CLASSES[180:]).all()


def test_renumbered_classes_renumber_the_probabilities(prepared):
    numbers = np.array([2, 0, 3, 1])
    plain, renumbered = probabilities(prepared), probabilities(prepared, classes=numbers[CLASSES[LABELLED]])
    np.testing.assert_allclose(renumbered[:, numbers], plain, atol=1e-4)


def test_each_row_is_judged_by_itself(prepared):
    some = np.random.default_rng(0).permutation(60)[:25]
    every = probabilities(prepared, vectors=UNSEEN)
    np.testing.assert_allclose(probabilities(prepared, vectors=UNSEEN[some]), every[some], atol=1e-5)


def test_two_classes_and_one_label_of_each_are_enough(prepared):
    rows = np.array([np.flatnonzero(CLASSES == 0)[0], np.flatnonzero(CLASSES == 3)[0]])
    found = probabilities(prepared, rows, np.array([0, 1]))
    assert found.shape == (180, 2)
    assert (found.argmax(axis=1)[CLASSES[:180] == 3] == 1).all()
    assert (found.argmax(axis=1)[CLASSES[:180] == 0] == 0).all()


def test_fewer_rows_than_neighbours_are_no_trouble(kind):
    data = latents(12, np.array([0, 0, 0, 1, 1, 1] * 2))
    options = ClassifyOptions(kind=kind)
    predictions = classification.predict(classification.fit_classifier(data, options), data)
    assert predictions["probability"].between(0, 1).all()


def test_fitting_twice_gives_the_same(kind):
    one, other = (CLASSIFIERS.maker(kind)().prepare(VECTORS, 7) for _ in range(2))
    np.testing.assert_allclose(probabilities(one, vectors=UNSEEN), probabilities(other, vectors=UNSEEN), atol=1e-6)


def test_test_labels_teach_nothing(kind):
    spoilt = np.where(np.arange(180) % 3 == 2, (CLASSES[:180] + 1) % 4, CLASSES[:180])
    one, other = (
        classification.fit_classifier(latents(labels=labels), ClassifyOptions(kind=kind)).predict(UNSEEN)
        for labels in (CLASSES, spoilt)
    )
    assert (one == other).all()


@pytest.mark.parametrize("calibration", ["temperature", "sigmoid", "isotonic", "none"])
def test_a_saved_classifier_predicts_the_same(kind, calibration, tmp_path):
    classifier = classification.fit_classifier(latents(), ClassifyOptions(kind=kind, calibration=calibration))
    file = SkopsDataset(filepath=str(tmp_path / "classifier.skops"))
    file.save(classifier)
    loaded = file.load()
    pd.testing.assert_frame_equal(
        classification.predict(loaded, latents()), classification.predict(classifier, latents())
    )
    assert loaded.encoded_by == classifier.encoded_by
    assert loaded.transductive == classifier.transductive


def test_many_rows_are_predicted_in_blocks(kind, monkeypatch):
    classifier = classification.fit_classifier(latents(), ClassifyOptions(kind=kind))
    whole = classification.predict(classifier, latents())
    monkeypatch.setattr(classification, "ROWS_AT_ONCE", 50)
    blocks = classification.predict(classifier, latents())
    assert (blocks["predicted"] == whole["predicted"]).all()
    np.testing.assert_allclose(blocks["probability"], whole["probability"], atol=1e-5)
    assert (blocks["predicted"] == NAMES[CLASSES[:180]]).all()


def test_unknown_options_are_refused_by_name(kind):
    with pytest.raises(InputError, match=f"classifier '{kind}': widht: no such option; known: "):
        ClassifyOptions(kind=kind, widht=3).check()
