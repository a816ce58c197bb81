import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import class_metrics, classification, few_labels
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.few_labels import balanced_draw
from ae_pipelines.latents.file import LatentsInMemory

POINTS, CLASSES = make_classification(
    1200, 5, n_informative=3, n_redundant=0, n_classes=3, class_sep=0.8, n_clusters_per_class=1, random_state=1
)
SPLITS = np.array(["train", "train", "test"] * 400)
TEST = SPLITS == "test"


def latents(labels=CLASSES, splits=SPLITS, points=POINTS):
    labels = [None if value is None else str(value) for value in labels]
    table = pd.DataFrame({"sample_id": [str(row) for row in range(len(points))], "split": splits, "label": labels})
    return LatentsInMemory(table, points.astype(np.float32), {"encoder_sha256": "e" * 64})


def test_a_draw_has_as_many_of_each_class_and_none_that_may_not_be_drawn():
    classes = np.where(np.arange(1200) % 4 == 0, -1, CLASSES)
    drawn = balanced_draw(classes, 31, seed=0)
    assert np.bincount(classes[drawn]).tolist() == [11, 10, 10]
    assert len(set(drawn)) == 31
    assert (np.diff(drawn) > 0).all()


def test_draws_differ_by_seed_and_are_the_same_among_more_rows_that_may_not_be_drawn():
    assert (balanced_draw(CLASSES, 30, 0) != balanced_draw(CLASSES, 30, 1)).any()
    spread = np.full(2400, -1)
    spread[::2] = CLASSES
    assert (balanced_draw(spread, 30, 0) == 2 * balanced_draw(CLASSES, 30, 0)).all()


def test_a_class_with_too_few_rows_gives_all_and_the_others_make_up_for_it():
    classes = np.repeat([0, 1, 2], [3, 100, 40])
    assert np.bincount(classes[balanced_draw(classes, 60, 0)]).tolist() == [3, 29, 28]
    assert np.bincount(classes[balanced_draw(classes, 120, 0)]).tolist() == [3, 77, 40]
    assert len(balanced_draw(classes, 143, 0)) == 143


def test_more_labels_than_there_are_cannot_be_drawn():
    with pytest.raises(InputError, match="4 labels wanted, but there are 3"):
        balanced_draw(np.array([0, 1, -1, 1]), 4, 0)


def test_the_curve_falls_and_ends_with_the_error_of_the_classifier():
    options = ClassifyOptions(few_labels=[6, 60], draws=20)
    points = few_labels.curve(latents(), options)
    assert [point["labels"] for point in points] == [6, 60, 800]
    assert [point["draws"] for point in points] == [20, 20, 1]
    assert points[0]["error_mean"] > 1.2 * points[1]["error_mean"] > 0
    assert points[0]["error_sd"] > points[1]["error_sd"] > points[2]["error_sd"] == 0
    classifier = classification.fit_classifier(latents(), options)
    metrics = class_metrics.classification_metrics(latents(), classifier, options)
    assert points[2]["error_mean"] == pytest.approx(100 * (1 - metrics["accuracy"]))


def test_a_point_is_the_mean_and_deviation_over_its_draws():
    options = ClassifyOptions(few_labels=[9], draws=2, seed=5)
    both = few_labels.curve(latents(), options)[0]
    each = [
        few_labels.curve(latents(), options.model_copy(update={"seed": seed, "draws": 1}))[0]["error_mean"]
        for seed in (5, 6)
    ]
    assert both["error_mean"] == pytest.approx(np.mean(each))
    assert both["error_sd"] == pytest.approx(abs(each[0] - each[1]) / np.sqrt(2))


def test_counts_that_the_data_do_not_allow_are_left_out():
    points = few_labels.curve(latents(), ClassifyOptions(), counts=[2, 3, 799, 800, 5000], draws=1)
    assert [point["labels"] for point in points] == [3, 799, 800]


def test_test_labels_teach_nothing():
    spoilt = np.where(TEST, (CLASSES + 1) % 3, CLASSES)
    options = ClassifyOptions(kind="knn", k=1, few_labels=[300], draws=3)
    for point, other in zip(*(few_labels.curve(latents(labels), options) for labels in (CLASSES, spoilt)), strict=True):
        assert other["error_mean"] > 100 - point["error_mean"] - 1e-6


def test_rows_to_judge_by_are_never_drawn():
    judged = np.arange(1200) % 3 == 0  # train rows
    spoilt = np.where(judged, (CLASSES + 1) % 3, CLASSES)
    points = [few_labels.curve(latents(labels), ClassifyOptions(), judged=judged)[-1] for labels in (CLASSES, spoilt)]
    assert [point["labels"] for point in points] == [400, 400]
    assert points[0]["error_mean"] < 30
    assert points[1]["error_mean"] > 100 - points[0]["error_mean"] - 1e-6


def test_what_learns_from_unlabelled_rows_is_marked_unless_they_are_train_rows():
    given = {"kind": "label_spreading", "few_labels": [9], "draws": 1}
    assert few_labels.curve(latents(), ClassifyOptions(**given))[0]["transductive"]
    assert not few_labels.curve(latents(), ClassifyOptions(fit_on="train", **given))[0]["transductive"]
    assert not few_labels.curve(latents(), ClassifyOptions(few_labels=[9], draws=1))[0]["transductive"]


def test_with_train_rows_only_the_rows_to_judge_by_are_not_looked_at():
    judged = np.arange(1200) % 3 == 0
    options = ClassifyOptions(kind="label_spreading", fit_on="train", few_labels=[30], draws=2)
    classifier_rows = []

    def record(latents, options, taught, hidden, real=classification.pool):
        ready = real(latents, options, taught, hidden)
        classifier_rows.append(ready.rows)
        return ready

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "pool", record)
        few_labels.curve(latents(), options, judged=judged)
    assert (classifier_rows[0] == np.flatnonzero(~judged & ~TEST)).all()


def test_spreading_needs_fewer_labels_than_a_line_where_classes_bend():
    turn = np.random.default_rng(0).uniform(0, 2 * np.pi, 1200)
    ring = (np.arange(1200) // 3) % 2
    points = (1 + ring)[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    data = latents(ring, points=points)
    line, spread = (
        few_labels.curve(data, ClassifyOptions(kind=kind, few_labels=[10], draws=5))[0]["error_mean"]
        for kind in ("logistic_regression", "label_spreading")
    )
    assert line > 25
    assert spread < 5


@pytest.mark.parametrize(
    ("labels", "judged", "message"),
    [
        ([None] * 1200, None, "no labelled samples in the test split"),
        (CLASSES, SPLITS == "train", "0 labelled rows of 0 classes to learn from and 0 of the same classes"),
        (
            [value if row % 3 == 2 else None for row, value in enumerate(CLASSES)],
            None,
            "none of the 800 .* a label",
        ),
    ],
)
def test_without_rows_to_learn_from_or_to_judge_by_there_is_no_curve(labels, judged, message):
    with pytest.raises(InputError, match=message):
        few_labels.curve(latents(labels), ClassifyOptions(), judged=judged)


def test_draws_on_mnist_pixels_are_the_published_difficulty(test_data):
    """Logistic regression on pixels, 100 labels: about 26 % wrong (linear classifiers of Kingma et al. 2014 table 1:
    25.81 for a plain net)."""
    from ae_pipelines.samples.sources.idx import IdxFolder

    block = next(iter(IdxFolder(path=test_data / "mnist", name="mnist").blocks()))
    rows = np.arange(0, len(block.values), 20)
    values = block.values[rows].reshape(len(rows), -1).astype(np.float32) / 255
    splits = np.where(np.arange(len(rows)) % 5 == 0, "test", "train")
    data = latents(np.asarray(block.labels)[rows], splits, values)
    (point, _) = few_labels.curve(data, ClassifyOptions(few_labels=[100], draws=5))
    assert 20 < point["error_mean"] < 34
