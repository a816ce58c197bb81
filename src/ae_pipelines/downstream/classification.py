"""Classes from latents, learned from the rows that have a label."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.errors import InputError, first_of
from ae_pipelines.latents import Latents
from ae_pipelines.options import Options
from ae_pipelines.samples import Samples

NO_TEST = "no labelled samples in the test split, so the classifier cannot be judged: give some"


class ClassifyOptions(Options):
    """How the classifier on the latents is trained."""

    regularisation: Annotated[float, Field(gt=0)] = 1.0
    """Inverse strength: scikit-learn's `C`."""
    maximum_iterations: Annotated[int, Field(gt=0)] = 1000
    neighbours: Annotated[int, Field(gt=0)] = 5
    """Of the k-nearest-neighbour accuracy that is reported beside the classifier's."""

    def check_samples(self, samples: Samples) -> None:
        """`InputError` unless the labels can teach a classifier and judge it."""
        labels = samples.labels()
        single = [str(name) for name, count in labels.groupby(level="label").sum().items() if count == 1]
        if single:
            raise InputError(
                f"{len(single)} classes have one sample each, first: {first_of(single)}; a classifier needs at "
                "least two: give more samples, or none of these labels"
            )
        splits = labels.index.get_level_values("split")
        _refuse_few_classes(labels[splits == "train"].droplevel("split"))
        if not (splits == "test").any():
            raise InputError(NO_TEST)


def fit_classifier(latents: Latents, options: ClassifyOptions) -> Any:
    """Standard scaler and logistic regression on the labelled rows of the train split."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = _training_rows(latents)
    model = LogisticRegression(C=options.regularisation, max_iter=options.maximum_iterations)
    return make_pipeline(StandardScaler(), model).fit(latents.vectors[rows], latents.labels[rows])


def predict(classifier: Any, latents: Latents) -> pd.DataFrame:
    """A row a sample: `sample_id`, the `predicted` class and its `probability`."""
    probabilities = classifier.predict_proba(latents.vectors)
    best = probabilities.argmax(axis=1)
    return pd.DataFrame(
        {
            "sample_id": latents.column("sample_id"),
            "predicted": pd.array(classifier.classes_[best], dtype="str"),
            "probability": probabilities[np.arange(len(best)), best].astype(np.float32),
        }
    )


def classification_metrics(latents: Latents, predicted: np.ndarray, options: ClassifyOptions) -> dict[str, float]:
    """On the labelled rows of the test split: `accuracy`, and `knn_accuracy` of the nearest train latents."""
    train, test = _training_rows(latents), _test_rows(latents)
    known = test & np.isin(latents.labels, latents.labels[train])
    if not known.any():
        raise InputError(f"none of the {int(test.sum())} labelled test samples are of a class in the train split")
    metrics = {
        "accuracy": float((predicted[known] == latents.labels[known]).mean()),
        "knn_accuracy": _neighbour_accuracy(latents, train, known, options.neighbours),
        "train_rows": float(train.sum()),
        "test_rows": float(known.sum()),
    }
    if unseen := int(test.sum() - known.sum()):
        metrics["test_rows_of_unseen_classes"] = float(unseen)
    return metrics


def per_class_table(latents: Latents, predicted: np.ndarray) -> pd.DataFrame:
    """Test rows by true class: precision, recall, f1 and support."""
    from sklearn.metrics import precision_recall_fscore_support

    test = _test_rows(latents)
    classes = np.unique(latents.labels[test])
    scores = precision_recall_fscore_support(latents.labels[test], predicted[test], labels=classes, zero_division=0.0)
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "support"), scores, strict=True)))
    table.insert(0, "label", classes)
    return table


def confusion(latents: Latents, predicted: np.ndarray) -> pd.DataFrame:
    """Counts of test rows: true class (rows) by predicted class (columns)."""
    test = _test_rows(latents)
    classes = np.unique(np.concatenate([latents.labels[test], predicted[test]]))
    counts = pd.crosstab(latents.labels[test], predicted[test])
    return counts.reindex(index=classes, columns=classes, fill_value=0)


def _neighbour_accuracy(latents: Latents, train: np.ndarray, test: np.ndarray, neighbours: int) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    knn = KNeighborsClassifier(min(neighbours, int(train.sum())), algorithm="brute")
    knn.fit(latents.vectors[train], latents.labels[train])
    return float(knn.score(latents.vectors[test], latents.labels[test]))


def _training_rows(latents: Latents) -> np.ndarray:
    rows = latents.labelled & latents.rows("train")
    _refuse_few_classes(pd.Series(latents.labels[rows]).value_counts())
    return rows


def _refuse_few_classes(counts: pd.Series) -> None:
    if len(counts) < 2:
        raise InputError(
            f"a classifier needs labelled train samples of at least two classes; found {int(counts.sum())} labelled "
            f"of {len(counts)} ({', '.join(map(str, counts.index)) or 'none'}). Give labels, or run "
            "`kedro run --pipelines=ingest,fit,embed,cluster`"
        )


def _test_rows(latents: Latents) -> np.ndarray:
    rows = latents.labelled & latents.rows("test")
    if not rows.any():
        raise InputError(NO_TEST)
    return rows
