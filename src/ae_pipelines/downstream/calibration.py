"""Calibration: probabilities that match how often predictions are right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd

CalibrationKind = Literal["temperature", "sigmoid", "isotonic", "none"]

FOLDS = 5
"""Folds of the cross-validation; a class needs at least as many labelled rows."""
BINS = 15
FLOOR = 1e-6
"""Lower bound of probabilities whose logarithm is taken."""


class Calibration(Protocol):
    """Corrects probabilities; saved with a classifier, so a dataclass of arrays and numbers."""

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        """Corrected probabilities, (n, classes) like the given ones; rows add up to 1."""
        ...


@dataclass(frozen=True)
class Unchanged:
    """Leaves probabilities as they are."""

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities


@dataclass(frozen=True)
class Temperature:
    """softmax(log p / T), which leaves the most probable class as it is (Guo et al. 2017, eq. 9)."""

    temperature: float

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        return softmax(_logarithm(probabilities) / np.float32(self.temperature), axis=1)


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-(a log(p / (1 - p)) + b))) for each class against the others (Platt 1999), scaled to add up
    to 1."""

    slopes: np.ndarray
    offsets: np.ndarray

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return _to_one(expit(_odds(probabilities) * self.slopes + self.offsets), probabilities)


@dataclass(frozen=True)
class Isotonic:
    """A rising staircase for each class against the others (Zadrozny & Elkan 2002), scaled to add up to 1."""

    given: list[np.ndarray]
    right: list[np.ndarray]

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        stairs = zip(probabilities.T, self.given, self.right, strict=True)
        return _to_one(np.column_stack([np.interp(*stair) for stair in stairs]), probabilities)


def fit_temperature(probabilities: np.ndarray, classes: np.ndarray) -> Calibration:
    """The temperature of least log loss on `probabilities` (n, classes) of rows that were not learned from."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(Temperature(float(np.exp(log_temperature))).corrected(probabilities), classes)

    return Temperature(float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)))


def fit_sigmoid(probabilities: np.ndarray, classes: np.ndarray) -> Calibration:
    """A sigmoid for each class, with scikit-learn's mild regularisation, so that separable classes stay finite."""
    from sklearn.linear_model import LogisticRegression

    columns = enumerate(_odds(probabilities).T)
    models = [LogisticRegression().fit(odds[:, None], classes == number) for number, odds in columns]
    return Sigmoid(np.array([m.coef_[0, 0] for m in models]), np.array([m.intercept_[0] for m in models]))


def fit_isotonic(probabilities: np.ndarray, classes: np.ndarray) -> Calibration:
    """A staircase for each class."""
    from sklearn.isotonic import IsotonicRegression

    columns = enumerate(probabilities.T)
    models = [IsotonicRegression(y_min=0, y_max=1).fit(column, classes == number) for number, column in columns]
    return Isotonic([model.X_thresholds_ for model in models], [model.y_thresholds_ for model in models])


FITS: dict[CalibrationKind, Callable[[np.ndarray, np.ndarray], Calibration]] = {
    "temperature": fit_temperature,
    "sigmoid": fit_sigmoid,
    "isotonic": fit_isotonic,
}


def folds(classes: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions to learn from and positions held out, each held out once; none where a class has too few rows."""
    from sklearn.model_selection import StratifiedKFold

    if np.bincount(classes).min() < FOLDS:
        return []
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return list(split.split(np.zeros(len(classes)), classes))


def log_loss(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """-log p of the true class in nats, averaged over rows."""
    return float(0.0 - _logarithm(probabilities[np.arange(len(classes)), classes]).mean())


class Reliability:
    """How often predictions are right, by how sure they are: `BINS` bins of equal width, summed over blocks of rows."""

    def __init__(self) -> None:
        self._rows, self._sums = np.zeros(BINS, np.int64), np.zeros((2, BINS))

    def add(self, confidence: np.ndarray, right: np.ndarray) -> None:
        """Count more rows: their confidences (n,) and whether each is right."""
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        self._rows += np.bincount(bins, minlength=BINS)
        self._sums += [np.bincount(bins, weights=values, minlength=BINS) for values in (confidence, right)]

    def table(self) -> pd.DataFrame:
        """Of each bin that has some: its `rows`, their mean `confidence` and `accuracy`."""
        means = self._sums / np.maximum(self._rows, 1)
        columns = {"rows": self._rows, "confidence": means[0], "accuracy": means[1]}
        table = pd.DataFrame({"from": np.arange(BINS) / BINS, **columns})
        return table[table["rows"] > 0].reset_index(drop=True)


def reliability(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """The table of `Reliability` of all these rows."""
    found = Reliability()
    found.add(confidence, right)
    return found.table()


def expected_calibration_error(table: pd.DataFrame) -> float:
    """|accuracy - confidence| of the bins of a `reliability` table, averaged over rows (Guo et al. 2017, eq. 3)."""
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["rows"]).sum() / table["rows"].sum())


def _logarithm(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, np.float32(FLOOR)))


def _odds(probabilities: np.ndarray) -> np.ndarray:
    return _logarithm(probabilities) - _logarithm(1 - probabilities)


def _to_one(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Rows scaled to add up to 1; where all values are 0, those of `otherwise`."""
    total = values.sum(axis=1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1), otherwise).astype(np.float32)
