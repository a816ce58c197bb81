"""How good a classifier on latents is, judged on the labelled rows of the test split."""

import logging
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import first_of
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import calibration, intervals
from ae_pipelines.downstream.classification import (
    LEARNED_ROWS,
    Classifier,
    ClassifyOptions,
    at_most,
    judged_rows,
    test_rows,
    training_rows,
)
from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.labels import Labels

log = logging.getLogger(__name__)

JUDGED_ROWS = 10_000
"""Most test rows in the k-nearest-neighbour accuracy."""


def classification_metrics(latents: Latents, classifier: Classifier, options: ClassifyOptions) -> dict[str, float]:
    """Over the labelled rows of the test split: `accuracy`, `knn_accuracy` of the nearest train latents, each with the
    bounds of its 95 % interval, `<name>_low` and `<name>_high`, the `majority`, which is the share of the commonest
    class among them, `log_loss` in nats and `expected_calibration_error`; how many `classes_never_recognised` there
    are, if any; `transductive` and `calibrated` are 1 or 0."""
    train, test = training_rows(latents), test_rows(latents)
    known = judged_rows(latents, test, classifier)
    judged = _judged(latents, classifier, known)
    rows, right = judged.rows.sum(), judged.right.sum()
    metrics = {
        "accuracy": float(right / rows),
        "knn_accuracy": _neighbour_accuracy(latents, train, known, options),
        "log_loss": float(judged.log_loss / rows),
        "expected_calibration_error": calibration.expected_calibration_error(judged.reliability.table()),
        "train_rows": float(train.sum()),
        "test_rows": float(rows),
        "majority": float(judged.rows.max() / rows),
        "transductive": float(classifier.transductive),
        "calibrated": float(classifier.calibrated),
    }
    for name, counted in (("accuracy", rows), ("knn_accuracy", min(rows, JUDGED_ROWS))):
        metrics |= intervals.bounds(name, intervals.proportion(metrics[name], int(counted)))
    if missed := int(((judged.rows > 0) & (judged.right == 0)).sum()):
        metrics["classes_never_recognised"] = float(missed)
    if unseen := int(test.sum() - rows):
        names = first_of(list(latents.labels.counts(test & ~known).index))
        log.warning("%d test samples are of classes without a train sample: %s", unseen, names)
        metrics["test_rows_of_unseen_classes"] = float(unseen)
    return metrics


def reliability(latents: Latents, classifier: Classifier) -> pd.DataFrame:
    """How often the classifier is right on the test split, by its confidence; see `calibration.reliability`."""
    return _judged(latents, classifier, judged_rows(latents, test_rows(latents), classifier)).reliability.table()


def per_class_table(latents: Latents, predictions: Table) -> pd.DataFrame:
    """Precision, recall, f1 and support of the test rows of each true class."""
    from sklearn.metrics import precision_recall_fscore_support

    counts = confusion(latents, predictions)
    values, names = counts.to_numpy(), counts.index.to_numpy(str)
    true, taken = np.nonzero(values)
    classes, weights = np.unique(names[true]), values[true, taken]
    scores = precision_recall_fscore_support(
        names[true], names[taken], labels=classes, sample_weight=weights, zero_division=0.0
    )
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "support"), scores, strict=True)))
    table.insert(0, "label", classes)
    return table.astype({"support": np.int64})


def never_found(table: pd.DataFrame, classifier: Classifier) -> list[str]:
    """The classes of a `per_class_table` of which no test row is recognised, though the classifier knows them."""
    known = table["label"].isin(classifier.classes)
    return list(table["label"][known & (table["recall"] == 0)])


def cautions(metrics: dict[str, float], table: pd.DataFrame, classifier: Classifier) -> list[str]:
    """Warnings about what an accuracy hides: few rows, no more skill than naming the commonest class, whole classes
    that are never found."""
    found = [] if (few := intervals.few("accuracy", metrics, int(metrics["test_rows"]))) is None else [few]
    if metrics["accuracy_low"] <= metrics["majority"]:
        found.append(
            f"accuracy {metrics['accuracy']:.3f} is no better, as far as can be told, than always naming the commonest "
            f"class, {metrics['majority']:.3f}"
        )
    if names := never_found(table, classifier):
        found.append(
            f"of {len(names)} of {len(classifier.classes)} classes no test sample is recognised (recall 0): "
            f"{first_of(names)}"
        )
    return found


def passed_over(latents: Latents, classifier: Classifier) -> list[str]:
    """A warning that names the classes of the train split that the classifier was not taught, if there are any."""
    found = latents.labels.counts(latents.in_split("train")).index
    names = [str(name) for name in found if name not in classifier.classes]
    if not names:
        return []
    return [
        f"{len(names)} of {len(found)} classes of the train split are passed over, and never predicted, for they have "
        f"one sample, or hardly more: {first_of(names)}. Give more samples, or correct these labels"
    ]


def confusion(latents: Latents, predictions: Table) -> pd.DataFrame:
    """Counts of test rows: true class (rows) by predicted class (columns)."""
    test, predicted = test_rows(latents), Labels.in_column(predictions, "predicted")
    names = sorted({str(name) for labels in (latents.labels, predicted) for name in labels.counts(test).index})
    true, taken = (labels.by(names).codes[test].astype(np.int64) for labels in (latents.labels, predicted))
    counts = np.bincount(true * len(names) + taken, minlength=len(names) ** 2)
    return pd.DataFrame(counts.reshape(len(names), -1), index=names, columns=names)


@dataclass
class _Judged:
    """What a classifier says of rows whose classes it knows, summed over them."""

    rows: np.ndarray
    """(classes,), int64: rows of each class."""
    right: np.ndarray
    """(classes,), int64: those of them that are recognised."""
    log_loss: float = 0.0
    """In nats."""
    reliability: calibration.Reliability = field(default_factory=calibration.Reliability)

    def add(self, probabilities: np.ndarray, classes: np.ndarray) -> None:
        """Count more rows: probabilities (n, classes), and the true classes (n,)."""
        right = probabilities.argmax(axis=1) == classes
        self.rows += np.bincount(classes, minlength=len(self.rows))
        self.right += np.bincount(classes[right], minlength=len(self.rows))
        self.log_loss += len(classes) * calibration.log_loss(probabilities, classes)
        self.reliability.add(probabilities.max(axis=1), right)


def _judged(latents: Latents, classifier: Classifier, known: np.ndarray) -> _Judged:
    """The sums over some rows (a bool each), read a block at a time."""
    found = _Judged(*np.zeros((2, len(classifier.classes)), np.int64))
    truth = latents.labels.by(classifier.classes).codes
    for rows, vectors in latents.blocks(np.flatnonzero(known)):
        found.add(np.concatenate(list(classifier.probabilities(vectors))), truth[rows])
    return found


def _neighbour_accuracy(latents: Latents, train: np.ndarray, test: np.ndarray, options: ClassifyOptions) -> float:
    from ae_pipelines.downstream.nearest import Index, vote

    draw = np.random.default_rng(options.seed)
    learned = at_most(LEARNED_ROWS, np.flatnonzero(train), draw)
    judged = at_most(JUDGED_ROWS, np.flatnonzero(test), draw)
    names, classes = latents.labels.among(learned)
    rows = Index(latents.at(learned)).nearest(latents.at(judged), options.neighbours)[1]
    return float((names[vote(rows, classes).argmax(axis=1)] == latents.labels[judged]).mean())
