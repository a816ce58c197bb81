"""How strongly a linear classifier is regularised: chosen by cross-validation on the labels that it is given."""

import warnings
from typing import Any

import numpy as np

from ae_pipelines.downstream.calibration import FLOOR

GRID = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""What is tried: scikit-learn's `C`, the inverse strength, for vectors of common standard deviation 1."""
DEFAULT = 0.3
"""Taken with few labels: of PCA, raw values and random features of digits and MNIST the best, or within a point of it,
with 20 and with 50 labels of ten classes, judged by held-out train data."""
LABELS_PER_CLASS = 10
"""With fewer labels, on average over the classes, the default is taken."""
FOLDS = 3
"""Classes with fewer labels are left out of the cross-validation."""
ROWS = 5_000
VALUES = 2_000_000
"""Most rows, and most numbers in them, that are cross-validated; drawn at random where there are more."""
TOLERANCE = 1e-3
"""Of the solver, which need not find more than which strength is best."""


def chosen(vectors: np.ndarray, classes: np.ndarray, iterations: int, seed: int) -> float:
    """The C of `GRID` with the least log loss on held-out thirds of these labelled vectors (n, d), of common standard
    deviation 1; or the next smaller one, if their paired losses differ by less than the standard error (after Breiman
    et al. 1984, section 3.4.3, who go as far as that holds: with noise alone to a constant). `DEFAULT` with few labels.

    On held-out train data of digits and MNIST with 50 to 300 labels this came within half a point of the C that was
    best for the test error; the least log loss itself was 0.2 points worse, and the least held-out error 0.5. From the
    strongest on, each fit starts from the last one, until the loss rises.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    vectors, classes = _some(vectors, classes, seed)
    if len(np.unique(classes)) < 2 or len(classes) < LABELS_PER_CLASS * len(np.unique(classes)):
        return DEFAULT
    vectors, _ = in_row_space(vectors)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(vectors, classes))
    models = [LogisticRegression(max_iter=iterations, tol=TOLERANCE, warm_start=True) for _ in folds]
    tried: list[np.ndarray] = []
    for strength in GRID:
        tried.append(_losses(models, strength, vectors, classes, folds))
        if len(tried) > 1 and tried[-1].mean() >= tried[-2].mean():
            break
    best = int(np.argmin([losses.mean() for losses in tried]))
    excess = tried[max(0, best - 1)] - tried[best]
    return GRID[max(0, best - 1) if excess.mean() <= excess.std() / np.sqrt(len(excess)) else best]


def in_row_space(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors (n, d) with n < d as coordinates (n, n) in an orthonormal basis (d, n), and that basis; others as they
    are, and None.

    The weights of a linear model with a squared penalty lie in the span of its vectors (Kimeldorf & Wahba 1971), so
    this changes nothing but the time.
    """
    if len(vectors) >= vectors.shape[1]:
        return vectors, None
    basis = np.linalg.qr(vectors.T)[0]
    return vectors @ basis, basis


def _some(vectors: np.ndarray, classes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Some of the rows, of classes that every fold can have, and their classes numbered anew."""
    most = min(ROWS, max(1, VALUES // vectors.shape[1]))
    rows = np.arange(len(classes))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    rows = rows[np.bincount(classes[rows])[classes[rows]] >= FOLDS]
    return vectors[rows], np.unique(classes[rows], return_inverse=True)[1]


def _losses(
    models: list[Any],
    strength: float,
    vectors: np.ndarray,
    classes: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """-log p of each row's class, (n,), by the model of the fold that holds it out."""
    losses = np.empty(len(classes))
    for model, (learned, held_out) in zip(models, folds, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not quite converged is good enough to be compared
            model.set_params(C=strength).fit(vectors[learned], classes[learned])
        probabilities = model.predict_proba(vectors[held_out])[np.arange(len(held_out)), classes[held_out]]
        losses[held_out] = -np.log(np.maximum(probabilities, FLOOR))
    return losses
