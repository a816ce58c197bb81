"""What a run's latents are compared with: controls that cost little, judged from the same samples by the same
classifier, so that the best of them has a name."""

import logging
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification, few_labels
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.latents.file import Latents, LatentsInMemory
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

ROWS = 5_000
"""Most labelled train rows to learn from, most test rows to judge by, and most train rows that patches learn from."""
LARGE, ROWS_OF_LARGE = 4_096, 1_000
"""Above so many values a sample raw values are left out, and no more than so many rows of each split are taken."""
LABELS = 100
OURS, PCA, RAW, UNTRAINED, PATCHES = "latents", "PCA", "raw values", "untrained encoder", "patches"
MEASURES = ("accuracy", f"error_with_{LABELS}_labels")
"""Share that is right from all labels; wrong from few, in %."""
NOTHING: dict[str, Any] = {"encoder": None, "left_out": [], "metrics": {}}


def compared(
    samples: Samples | None, latents: Latents, pca_latents: Latents, autoencoder: Any, options: ClassifyOptions
) -> dict[str, Any]:
    """`metrics`: `MEASURES` of the latents and, behind its name, of each control that there is, `train_rows` and
    `test_rows`; `left_out`: why other controls are not there; `encoder`: the latents' sha256.

    All are judged by a logistic regression, whatever the classifier is, from at most `ROWS` labelled rows of each
    split. Without `samples` PCA is the only one; the `autoencoder` is a `TrainedModel`. `TooFewLabels` if nothing can
    be judged.
    """
    rows = _rows(latents, ROWS if samples is None else _most(samples), options.seed)
    judge = _Judge(latents, rows, ClassifyOptions(few_labels=[LABELS], draws=options.draws, seed=options.seed))
    metrics = judge.counts() | judge(OURS, latents.at(rows)) | judge(PCA, pca_latents.at(rows))
    left_out = []
    others = {} if samples is None else _others(samples, rows, autoencoder, latents.size, options.seed)
    for control, vectors in others.items():
        try:
            metrics |= judge(control, vectors())
        except InputError as error:
            left_out.append(f"{control}: {error}")
            log.info("without the control %s: %s", control, error)
    return {"encoder": latents.encoder, "left_out": left_out, "metrics": metrics}


def by_name(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """The measures of the latents and of each control, by name, in %: what is right."""
    found: dict[str, dict[str, float]] = {}
    for name in (OURS, PCA, RAW, UNTRAINED, PATCHES):
        known = {measure: metrics[key] for measure in MEASURES if (key := _key(name, measure)) in metrics}
        if known:
            found[name] = {key: 100 * one if key == "accuracy" else 100 - one for key, one in known.items()}
    return found


def labels_of(metrics: dict[str, float]) -> dict[str, int]:
    """The measures that were taken, each with the number of labels that were learned from."""
    counts = (int(metrics["train_rows"]), LABELS)
    return {measure: count for measure, count in zip(MEASURES, counts, strict=True) if _key(OURS, measure) in metrics}


def best_of(right: dict[str, dict[str, float]], measure: str) -> str | None:
    """The name of the control that is best at a measure, given `by_name`; None if there is none."""
    known = {name: row[measure] for name, row in right.items() if name != OURS and measure in row}
    return max(known, key=known.__getitem__) if known else None


def _key(name: str, measure: str) -> str:
    return measure if name == OURS else f"{name.lower().replace(' ', '_')}_{measure}"


class _Judge:
    """The same classifier, learning from the same rows and judged by the same ones, on any vectors."""

    def __init__(self, latents: Latents, rows: np.ndarray, options: ClassifyOptions) -> None:
        self._table = latents.take(rows)[["sample_id", "split", "label"]].reset_index(drop=True)
        self._encoder, self._options = latents.encoder, options

    def counts(self) -> dict[str, float]:
        return {f"{split}_rows": float((self._table["split"] == split).sum()) for split in ("train", "test")}

    def __call__(self, name: str, vectors: np.ndarray) -> dict[str, float]:
        if not np.isfinite(vectors).all():
            raise InputError("some vectors have NaN or Inf")
        points = few_labels.curve(
            LatentsInMemory(self._table, vectors, {"encoder_sha256": self._encoder}), self._options
        )
        measured = {"accuracy": 1 - points[-1]["error_mean"] / 100} | few_labels.errors(points)
        return {_key(name, measure): value for measure, value in measured.items()}


def _rows(latents: Latents, most: int, seed: int) -> np.ndarray:
    """Labelled rows of the train split and of the test split, at most so many of each, in order."""
    splits = (classification.training_rows(latents), classification.test_rows(latents))
    return np.sort(np.concatenate([_some(np.flatnonzero(rows), most, seed) for rows in splits]))


def _some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def _most(samples: Samples) -> int:
    """Rows of each split that are taken."""
    return min(ROWS, ROWS_OF_LARGE) if _large(samples) else ROWS


def _large(samples: Samples) -> bool:
    return prod(samples.spec.shape) > LARGE


def _others(
    samples: Samples, rows: np.ndarray, autoencoder: Any, latent_size: int, seed: int
) -> dict[str, Callable[[], np.ndarray]]:
    """By the name of a control what makes its vectors (len(rows), d) of the samples at `rows`, or raises `InputError`
    that says why there are none."""
    from ae_pipelines.comparison import untrained  # which imports torch

    def raw() -> np.ndarray:
        values = prod(samples.spec.shape)
        if _large(samples):
            raise InputError(f"{values:,} values a sample are more than {LARGE:,}")
        return samples.spec.as_input(samples.take(rows).reshape(len(rows), values))

    def with_random_weights() -> np.ndarray:
        return untrained.vectors(untrained.with_random_weights(autoencoder, seed), samples, rows)

    def patches() -> np.ndarray:
        learned = _some(samples.positions("train"), _most(samples), seed)
        return untrained.vectors(untrained.patches(samples, learned, latent_size, seed), samples, rows)

    return {RAW: raw, UNTRAINED: with_random_weights, PATCHES: patches}
