"""How well a classifier does with few labels."""

import logging
from typing import Any

import numpy as np

from ae_pipelines.base.errors import InputError, TooFewLabels
from ae_pipelines.downstream import classification, intervals
from ae_pipelines.downstream.classification import ClassifyOptions, Pool
from ae_pipelines.latents.file import Latents

log = logging.getLogger(__name__)

JUDGED_ROWS = 100_000
"""Most rows that a curve is judged by, picked at random."""


def balanced_draw(classes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Positions of `count` rows, the same number of each class (one more of the first classes where that does not
    divide; all of a class with too few), in order; `classes` (n,) are class numbers, -1 for rows that may not be
    drawn."""
    draw = np.random.default_rng(seed)
    known, have = np.unique(classes[classes >= 0], return_counts=True)
    drawn = [
        draw.choice(np.flatnonzero(classes == one), number, replace=False)
        for one, number in zip(known, _shares(have, count), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def _shares(have: np.ndarray, count: int) -> np.ndarray:
    """`count` things taken from piles of sizes `have`, as evenly as they allow."""
    if count > have.sum():
        raise InputError(f"{count} labels wanted, but there are {have.sum()}: give fewer")
    taken = np.zeros(len(have), int)
    while left := count - taken.sum():
        piles = np.flatnonzero(taken < have)[:left]
        taken[piles] += np.minimum(have[piles] - taken[piles], left // len(piles))
    return taken


def curve(
    latents: Latents,
    options: ClassifyOptions,
    *,
    counts: list[int] | None = None,
    draws: int | None = None,
    judged: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Errors (%) by number of labels: for each of `counts` that the data allow the mean and standard deviation over
    balanced draws from the train split, and last for all labels.

    Judged on the labelled rows of the test split, or on those of `judged` (a bool per row), which are then not learned
    from; of more than `JUDGED_ROWS` on as many of them. Draw i has seed `options.seed` + i. What a kind chooses by
    labels it chooses once for each number of them, by those of the first draw. Probabilities are not calibrated here.
    `TooFewLabels` if there are no rows to learn from or to judge by.
    """
    judged = classification.test_rows(latents) if judged is None else judged & latents.labelled
    rows = classification.at_most_learned(np.flatnonzero(classification.training_rows(latents) & ~judged), options)
    names, classes = latents.labels.among(rows)
    judged = judged & latents.labels.isin(names)
    by = _judged_rows(judged, options)
    if len(names) < 2 or not len(by):
        raise TooFewLabels(
            f"{len(rows)} labelled rows of {len(names)} classes to learn from and {len(by)} of the same "
            "classes to judge by: give labels of at least two classes on both sides"
        )
    ready = classification.pool(latents, options, rows, hidden=judged)
    places = ready.prepared.places.of(latents.at(by))
    truth = latents.labels.by(names).codes[by]
    points = []
    for sets in _draws(classes, counts or options.few_labels, draws or options.draws, options.seed):
        tuned = ready.tuned(rows[sets[0]], classes[sets[0]])
        errors = [_error(tuned, rows[drawn], classes[drawn], places, truth) for drawn in sets]
        points.append(_point(errors, len(sets[0]), options))
    return points


def _judged_rows(rows: np.ndarray, options: ClassifyOptions) -> np.ndarray:
    """The positions of these rows (a bool each), or of `JUDGED_ROWS` of them picked at random, in order."""
    found = np.flatnonzero(rows)
    if len(found) > JUDGED_ROWS:
        log.info("few labels: judged by %s of %s test rows", f"{JUDGED_ROWS:,}", f"{len(found):,}")
    return np.sort(classification.at_most(JUDGED_ROWS, found, np.random.default_rng(options.seed)))


def errors(points: list[dict[str, Any]]) -> dict[str, float]:
    """The mean errors (%) of a `curve` by name, without that of all labels."""
    return {f"error_with_{point['labels']}_labels": point["error_mean"] for point in points[:-1]}


def bounds(points: list[dict[str, Any]], rows: int) -> dict[str, float]:
    """The bounds of these mean errors (%) by name, as far as they follow from how many rows they were judged by, of
    these."""
    means = {name: error / 100 for name, error in errors(points).items()}
    found = {name: intervals.proportion(mean, min(rows, JUDGED_ROWS)) for name, mean in means.items()}
    return {
        key: 100 * value for name, interval in found.items() for key, value in intervals.bounds(name, interval).items()
    }


def _draws(classes: np.ndarray, counts: list[int], draws: int, seed: int) -> list[list[np.ndarray]]:
    """The draws for each number of labels, as positions; the last is a single draw of all labels."""
    allowed = [count for count in sorted(set(counts)) if classes.max() < count < len(classes)]
    few = [[balanced_draw(classes, count, seed + number) for number in range(draws)] for count in allowed]
    return [*few, [np.arange(len(classes))]]


def _error(ready: Pool, rows: np.ndarray, classes: np.ndarray, places: Any, truth: np.ndarray) -> float:
    """Share of the judged rows, in %, that a fit on some labels gets wrong."""
    found = ready.fit(rows, classes).probabilities(places).argmax(axis=1)
    return float(100 * (found != truth).mean())


def _point(errors: list[float], labels: int, options: ClassifyOptions) -> dict[str, Any]:
    return {
        "labels": labels,
        "error_mean": float(np.mean(errors)),
        "error_sd": float(np.std(errors, ddof=1)) if len(errors) > 1 else 0.0,
        "draws": len(errors),
        "transductive": options.transductive,
    }
