"""The strength of regularisation that labels choose."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, make_classification
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from ae_pipelines.downstream import classification, few_labels
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.classifiers import logistic_regression, regularisation
from ae_pipelines.latents.file import LatentsInMemory

POINTS, CLASSES = make_classification(
    900, 40, n_informative=4, n_redundant=0, n_clusters_per_class=1, flip_y=0.1, class_sep=0.6, random_state=1
)
POINTS = (POINTS / np.sqrt(POINTS.var(axis=0).mean())).astype(np.float32)
TEST = np.arange(900) % 3 == 2


def latents(labels=CLASSES, points=POINTS):
    ids, splits = [str(row) for row in range(len(points))], np.where(np.arange(len(points)) % 3 == 2, "test", "train")
    table = pd.DataFrame({"sample_id": ids, "split": splits, "label": [str(label) for label in labels]})
    return LatentsInMemory(table, points, {"encoder_sha256": "e" * 64})


@pytest.fixture
def strengths(monkeypatch):
    """The strengths with which scikit-learn is asked for a final fit, in order."""
    asked = []

    class Recorded(LogisticRegression):
        def fit(self, X, y):  # noqa: N803
            if not self.warm_start:
                asked.append(self.C)
            return super().fit(X, y)

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression", Recorded)
    return asked


def test_noise_is_regularised_more_than_what_tells_classes_apart():
    clear = np.eye(2, 40, dtype=np.float32)[CLASSES] * 5 + np.random.default_rng(0).normal(size=(900, 40))
    of_noise, of_clear = (regularisation.chosen(z, CLASSES, 1000, 0) for z in (POINTS, clear.astype(np.float32)))
    assert of_noise < of_clear
    assert {of_noise, of_clear} <= {*regularisation.GRID}


def test_what_is_chosen_is_nearly_the_best_of_the_grid_for_rows_that_were_not_given():
    taught, judged = np.arange(900) < 200, np.arange(900) >= 200

    def error(strength):
        model = LogisticRegression(C=strength, max_iter=1000).fit(POINTS[taught], CLASSES[taught])
        return 1 - model.score(POINTS[judged], CLASSES[judged])

    errors = {strength: error(strength) for strength in regularisation.GRID}
    chosen = errors[regularisation.chosen(POINTS[taught], CLASSES[taught], 1000, 0)]
    assert chosen <= min(errors.values()) + 0.02
    assert chosen < min(errors[1e-3] - 0.1, errors[100.0] - 0.01), "it matters here"


@pytest.mark.parametrize(
    ("classes", "few"),
    [
        (np.repeat([0, 1], [9, 9]), True),
        (np.repeat([0, 1], [2, 98]), True),
        (np.repeat([0, 1], [10, 10]), False),
        (np.repeat([0, 1, 2], [50, 50, 1]), False),
    ],
    ids=["fewer than 10 a class", "one class with enough", "10 a class", "a rare class is left out"],
)
def test_few_labels_use_the_default(classes, few, monkeypatch):
    tried = []
    monkeypatch.setattr(regularisation, "_losses", lambda *given: tried.append(1) or np.full(len(given[3]), 1.0))
    found = regularisation.chosen(POINTS[: len(classes)], classes, 1000, 0)
    assert (tried == []) == few
    assert not few or found == regularisation.DEFAULT


def test_big_data_are_cross_validated_by_a_part(monkeypatch):
    seen = []
    monkeypatch.setattr(regularisation, "_losses", lambda *given: seen.append(len(given[3])) or np.ones(len(given[3])))
    monkeypatch.setattr(regularisation, "VALUES", 40 * 100)
    regularisation.chosen(POINTS, CLASSES, 1000, 0)
    assert set(seen) == {100}


def test_one_choice_serves_the_classifier_and_its_calibration(strengths):
    classification.fit_classifier(latents(), ClassifyOptions())
    assert len(strengths) == 6, "five folds, and all of it"
    assert len(set(strengths)) == 1
    assert strengths[0] in regularisation.GRID


def test_one_choice_serves_all_draws_of_a_number_of_labels_and_a_number_that_was_given_is_kept(strengths):
    few_labels.curve(latents(), ClassifyOptions(few_labels=[10, 300], draws=3))
    assert strengths[:3] == [regularisation.DEFAULT] * 3
    assert len(set(strengths[3:6])) == 1
    assert strengths[3] != regularisation.DEFAULT
    strengths.clear()
    few_labels.curve(latents(), ClassifyOptions(few_labels=[10, 300], draws=3, regularisation=7))
    assert strengths == [7] * 7


def test_the_choice_never_sees_test_rows(monkeypatch):
    given = []

    def record(vectors, classes, *more, real=regularisation.chosen):
        given.append(vectors)
        return real(vectors, classes, *more)

    monkeypatch.setattr(regularisation, "chosen", record)
    classification.fit_classifier(latents(), ClassifyOptions())
    few_labels.curve(latents(), ClassifyOptions(few_labels=[50], draws=1))
    places = logistic_regression.Scale.of_all(POINTS[~TEST])
    train = {row.tobytes() for row in places.of(POINTS[~TEST])}
    assert [len(vectors) for vectors in given] == [600, 50, 600]
    assert all(row.tobytes() in train for vectors in given for row in vectors)


def test_wide_vectors_get_the_same_weights_in_the_space_of_their_rows():
    few = np.flatnonzero(~TEST)[:30]
    fitted = logistic_regression.LogisticRegression(regularisation=1.0).prepare(POINTS, 0)
    found = fitted.fit(few, CLASSES[few])
    z = fitted.places.of(POINTS)
    reference = LogisticRegression(C=1.0).fit(z[few], CLASSES[few])
    assert len(few) < z.shape[1]
    np.testing.assert_allclose(found.probabilities(z), reference.predict_proba(z), atol=1e-3)


def test_pca_of_digits_needs_fewer_labels_with_one_scale_than_whitened():
    """In % of unseen digits, with 100 labels, 32 components: about 9 against 13."""
    images, digits = load_digits(return_X_y=True)
    plain = PCA(32, random_state=0).fit_transform(images).astype(np.float32)
    options = ClassifyOptions(few_labels=[100], draws=5)
    fair, whitened = (
        few_labels.curve(latents(digits, vectors), options)[0]["error_mean"]
        for vectors in (plain, plain / plain.std(axis=0))
    )
    assert fair < whitened - 2
