"""Classifiers on latents, fitted on the rows that have a label."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.base.errors import TooFewLabels, first_of
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.downstream import calibration
from ae_pipelines.downstream.calibration import Calibration, CalibrationKind
from ae_pipelines.downstream.classifiers import CLASSIFIERS, Fitted, Places, Prepared, tuned
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

LEARNED_ROWS = 200_000
"""Most rows that a classifier looks at: the labelled ones, then others, picked at random."""
CALIBRATION_ROWS = 20_000
"""Most labelled rows in the cross-validation that calibrates."""
ROWS_AT_ONCE = 65_536
ABOUT = ("train_rows", "test_rows", "test_rows_of_unseen_classes", "majority", "transductive", "calibrated")
"""Metrics that say what was judged; the same for all latents of the same samples."""
NO_TEST = "no labelled samples in the test split, so the classifier cannot be judged: give some"


class ClassifyOptions(Choice):
    """How the classifier on the latents is trained; other options are those of its kind."""

    registry: ClassVar[Registry] = CLASSIFIERS
    kind: str = "logistic_regression"
    fit_on: Literal["all", "train"] = "all"
    """Rows that a transductive kind looks at: all, without the labels of test rows, or those of the train split."""
    calibration: CalibrationKind = "temperature"
    """How probabilities are calibrated, by cross-validation on the labelled train rows."""
    few_labels: list[Annotated[int, Field(gt=0)]] = [10, 100, 1000, 3000]
    """Numbers of labels, over all classes, with which the error is measured."""
    draws: Annotated[int, Field(gt=0)] = 10
    """Random draws for each of these numbers."""
    label_next: Annotated[int, Field(gt=0)] = 100
    """Number of rows in the list of those to label next."""
    neighbours: Annotated[int, Field(gt=0)] = 5
    """The k of the k-nearest-neighbour accuracy that is reported beside the classifier's."""
    controls: bool = True
    """Whether raw values, an untrained encoder and patches are judged beside the latents and PCA, which takes seconds,
    or up to a minute for images."""
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def transductive(self) -> bool:
        """Whether test rows, without their labels, are learned from."""
        return bool(self.build().transductive) and self.fit_on == "all"

    def check_samples(self, samples: Samples) -> None:
        """`TooFewLabels` unless there are labels to fit a classifier and to evaluate it."""
        labels = samples.label_counts()
        splits = labels.index.get_level_values("split")
        train, test = (labels[splits == split].droplevel("split") for split in ("train", "test"))
        alone = _alone(labels.groupby(level="label").sum())
        _refuse_few_classes(train, alone, lambda: len(samples.positions("train")))
        if test.empty:
            raise TooFewLabels(NO_TEST)
        _refuse_disjoint(train.index.difference(alone).to_numpy(str), test.index.to_numpy(str))


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier on the latents of one encoder."""

    encoded_by: EncodedBy
    kind: str
    transductive: bool
    """Whether it learned from test rows, without their labels."""
    classes: np.ndarray
    """Names of the classes, sorted."""
    places: Places
    fitted: Fitted
    calibration: Calibration
    calibrated: bool

    def probabilities(self, vectors: np.ndarray) -> Iterator[np.ndarray]:
        """Class probabilities of vectors (n, d), in consecutive blocks (rows, classes)."""
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            places = self.places.of(vectors[start : start + ROWS_AT_ONCE])
            yield self.calibration.corrected(self.fitted.probabilities(places))

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Name of the most probable class of each vector."""
        return self.classes[np.concatenate([block.argmax(axis=1) for block in self.probabilities(vectors)])]


@dataclass(frozen=True)
class Pool:
    """Rows of latents that a kind has prepared to be fitted with labels."""

    rows: np.ndarray
    """Positions in the latents, ascending."""
    prepared: Prepared

    def fit(self, rows: np.ndarray, classes: np.ndarray) -> Fitted:
        """The classifier fitted on rows of the pool, given as positions in the latents."""
        return self.prepared.fit(np.searchsorted(self.rows, rows), classes)

    def tuned(self, rows: np.ndarray, classes: np.ndarray) -> "Pool":
        """The same with options chosen by these labels, which all fits then share, if its kind chooses any."""
        return replace(self, prepared=tuned(self.prepared, np.searchsorted(self.rows, rows), classes))


def pool(latents: Latents, options: ClassifyOptions, taught: np.ndarray, hidden: np.ndarray) -> Pool:
    """The `taught` rows, whose labels may be used (positions, at most `LEARNED_ROWS`), and, where there is room, others
    that a kind may look at: all, or those of the train split that are not `hidden` (a bool per row)."""
    others = np.full(len(latents), options.transductive) | (latents.in_split("train") & ~hidden)
    others[taught] = False
    draw = np.random.default_rng(options.seed)
    rows = np.sort(np.append(taught, at_most(LEARNED_ROWS - len(taught), np.flatnonzero(others), draw)))
    return Pool(rows, options.build().prepare(latents.at(rows), options.seed))


def at_most_learned(rows: np.ndarray, options: ClassifyOptions) -> np.ndarray:
    """These rows, or `LEARNED_ROWS` of them picked at random, in order."""
    return np.sort(at_most(LEARNED_ROWS, rows, np.random.default_rng(options.seed)))


def numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The names of the classes, sorted, and the class number of each label."""
    numbers, names = pd.factorize(labels, sort=True)
    return np.asarray(names, dtype=str), numbers


def fit_classifier(latents: Latents, options: ClassifyOptions) -> Classifier:
    """A classifier fitted on the labelled rows of the train split, and calibrated; `TooFewLabels` if there are too few
    to fit or to evaluate it."""
    train, test = (latents.labels.counts(rows).index for rows in (training_rows(latents), test_rows(latents)))
    _refuse_disjoint(train.to_numpy(str), test.to_numpy(str))
    rows = at_most_learned(np.flatnonzero(training_rows(latents)), options)
    names, classes = latents.labels.among(rows)
    ready = pool(latents, options, rows, hidden=np.zeros(len(latents), bool)).tuned(rows, classes)
    found = _calibration(latents, options, ready, rows, classes)
    return Classifier(
        encoded_by=EncodedBy.of(latents),
        kind=options.kind,
        transductive=options.transductive,
        classes=names,
        places=ready.prepared.places,
        fitted=ready.fit(rows, classes),
        calibration=found or calibration.Unchanged(),
        calibrated=found is not None,
    )


def predict(classifier: Classifier, latents: Latents) -> pd.DataFrame:
    """One row per sample: `sample_id`, the `predicted` class and its `probability`."""
    classifier.encoded_by.refuse_other(latents, "classifier", "classify")
    best, probability = np.empty(len(latents), np.int64), np.empty(len(latents), np.float32)
    start = 0
    for block in classifier.probabilities(latents.vectors):
        rows = slice(start, start := start + len(block))
        best[rows] = block.argmax(axis=1)
        probability[rows] = block[np.arange(len(block)), best[rows]]
    predicted = pd.Series(classifier.classes, dtype="str").take(best).array
    return pd.DataFrame({"sample_id": latents.column("sample_id"), "predicted": predicted, "probability": probability})


def training_rows(latents: Latents) -> np.ndarray:
    """The rows of the train split that teach a classifier, a bool per row: those with a label that another row of any
    split has too. `TooFewLabels` if they are not of two classes."""
    alone = _alone(latents.labels.counts())
    train = latents.in_split("train")
    rows = latents.labelled & train
    _refuse_few_classes(latents.labels.counts(rows), alone, lambda: int(train.sum()))
    return rows & ~latents.labels.isin(alone)


def test_rows(latents: Latents) -> np.ndarray:
    """The labelled rows of the test split, a bool per row; `TooFewLabels` if there are none."""
    rows = latents.labelled & latents.in_split("test")
    if not rows.any():
        raise TooFewLabels(NO_TEST)
    return rows


def judged_rows(latents: Latents, rows: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Those of the rows (a bool each) whose class the classifier knows."""
    return rows & latents.labels.isin(classifier.classes)


def _calibration(
    latents: Latents, options: ClassifyOptions, ready: Pool, rows: np.ndarray, classes: np.ndarray
) -> Calibration | None:
    """The calibration, fitted on rows held out in turn; None where it is not wanted or a class has too few rows."""
    fit = calibration.FITS.get(options.calibration)
    chosen = np.sort(at_most(CALIBRATION_ROWS, np.arange(len(rows)), np.random.default_rng(options.seed)))
    folds = calibration.folds(classes[chosen], options.seed) if len(np.unique(classes[chosen])) > classes.max() else []
    if fit is None or not folds:
        return None
    rows, classes = rows[chosen], classes[chosen]
    probabilities = np.empty((len(rows), int(classes.max()) + 1), np.float32)
    for learned, held_out in folds:
        places = ready.prepared.places.of(latents.at(rows[held_out]))
        probabilities[held_out] = ready.fit(rows[learned], classes[learned]).probabilities(places)
    return fit(probabilities, classes)


def at_most(count: int, rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The rows, or so many of them picked at random."""
    return rows if len(rows) <= count else draw.choice(rows, count, replace=False)


def _refuse_disjoint(train: np.ndarray, test: np.ndarray) -> None:
    """`TooFewLabels` if no class is in both splits."""
    if not np.isin(test, train).any():
        raise TooFewLabels(
            f"none of the classes in the test split ({first_of(list(map(str, test)))}) is in the train split "
            f"({first_of(list(map(str, train)))}), so the classifier cannot be judged: give labels of the same classes"
        )


def _alone(counts: pd.Series) -> list[str]:
    """The classes of one sample: what was learned of such a class could not be judged, and most are misspelt."""
    return [str(name) for name, count in counts.items() if count == 1]


def _refuse_few_classes(train: pd.Series, alone: list[str], samples: Callable[[], int]) -> None:
    """`TooFewLabels` unless two classes of the `train` split, of which these are the counts, are not `alone`; `samples`
    counts the split, with or without labels."""
    counts = train[~train.index.isin(alone)]
    if len(counts) >= 2:
        return
    rows, classes = int(counts.sum()), "1 class" if len(counts) == 1 else "0 classes"
    found = f"found {rows} labelled train samples of {classes}" + "".join(f" ({str(name)!r})" for name in counts.index)
    if train.empty:
        found = f"none of the {samples()} train samples has a label"
    elif names := [repr(name) for name in map(str, train.index) if name in alone]:
        found += f" and {len(names)} of a class of their own, which are passed over ({first_of(names)})"
    raise TooFewLabels(f"a classifier needs labelled train samples of at least two classes; {found}: give labels")
