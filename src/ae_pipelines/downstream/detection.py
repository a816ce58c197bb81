"""Anomaly detection, with a threshold that is stated as alarms per 1,000 normal samples."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.registry import Choice
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.detectors import DETECTORS, Scorer
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.tables import treatments

PREFERRED = ("blurred_residual", "reconstruction_mse", "mahalanobis")
"""The default is the first of these whose columns the latents have."""
ROWS_ABOVE = 10
"""With fewer held-out rows above it, a threshold is uncertain by a third and more (1 / √10)."""
LISTED = 100
"""How many of the oddest samples are listed."""
JUDGED_ROWS = 10_000
"""Most normal, and most anomalous, test rows on which detectors are compared with each other."""

COMPARED = ("auroc", "average_precision", "recall_at_one_per_thousand", "measured_alarms_per_thousand")
"""The metrics by which a control is compared."""


class DetectOptions(Choice):
    """Which detector, and how often it may be wrong about normal samples."""

    registry = DETECTORS
    kind: str | None = None  # type: ignore[assignment]
    """None takes the first of blurred_residual, reconstruction_mse, mahalanobis whose columns the latents have."""
    alarms_per_thousand: Annotated[float, Field(gt=0, lt=1000)] = 1.0
    """How many of 1,000 normal samples may be called anomalies; there is no guess at how many anomalies there are."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check(self) -> dict[str, Any]:
        if self.kind is not None:
            return super().check()
        if self.model_extra:
            raise InputError(
                f"detect: no such option without a kind: {first_of(sorted(self.model_extra))}; known: kind, "
                f"alarms_per_thousand, seed, and with detect.kind=... (one of {', '.join(DETECTORS.kinds())}) its own"
            )
        return {}

    def check_recipe(self, recipe: Any) -> None:
        """`InputError` if the detector needs a decoder and the recipe's method has none."""
        if self.kind is not None and _needs(self.kind):
            recipe.check_ability("decode", f"detect.kind={self.kind}")

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if the detector is for images and the samples are not."""
        if self.kind is not None and "blurred_error" in _needs(self.kind) and len(samples.spec.shape) != 3:
            raise InputError(
                f"detector {self.kind!r} is for images, given samples of shape {samples.spec.shape}: "
                "give detect.kind=reconstruction_mse"
            )

    def for_kind(self, kind: str) -> Self:
        """Options for this kind, with its defaults unless it is the chosen one."""
        return (
            self
            if kind == self.kind
            else type(self)(**self.model_dump(include=set(type(self).model_fields)) | {"kind": kind})
        )

    def for_latents(self, latents: Latents) -> Self:
        """Options with the kind for these latents; `InputError` if they lack columns for the one that was chosen."""
        kind = self.kind or next(kind for kind in PREFERRED if kind in served(latents))
        missing = [name for name in _needs(kind) if name not in latents.names]
        if missing:
            raise InputError(
                f"detector {kind!r} needs the column {first_of(missing)}, which these latents do not have (the method "
                "has no decoder, the samples are not images, or embed.errors=false was given): give "
                f"detect.kind={' or '.join(served(latents))}, or embed with a method that has a decoder"
            )
        return self.for_kind(kind)


@dataclass(frozen=True)
class AnomalyModel:
    """Scores samples, and says which are anomalies."""

    encoded_by: EncodedBy
    kind: str
    scorer: Scorer
    threshold: float
    """A sample with a higher score is an anomaly."""
    alarms_per_thousand: float
    """Alarms that the threshold was set for."""
    calibration_rows: int
    """Normal rows that it was set on."""
    held_out: bool
    """Whether the encoder has not learned from these rows."""

    @property
    def cautions(self) -> list[str]:
        """Warnings about what the threshold cannot promise."""
        few = self.calibration_rows * self.alarms_per_thousand / 1000 < ROWS_ABOVE
        return ([] if self.held_out else [self._caution_if_seen()]) + ([self._caution_if_few()] if few else [])

    def _caution_if_seen(self) -> str:
        return (
            "the threshold is set on rows that the encoder has learned from, since no normal train row was held out, "
            f"so expect more than {self.alarms_per_thousand:g} alarms per 1,000: give "
            "recipe.training.validation_share=0.05"
        )

    def _caution_if_few(self) -> str:
        alarms, rows = self.alarms_per_thousand, self.calibration_rows
        expected = max(alarms, 1000 / (rows + 1))
        about = f"{expected:.0f}" if expected >= 10 else f"{expected:.2g}"
        return (
            f"the threshold for alarms_per_thousand={alarms:g} is set on {rows:,} normal rows, so by the oddest few "
            f"of them: expect about {about} alarms per 1,000, or a few times that. "
            f"It is more reliable from {int(np.ceil(1000 * ROWS_ABOVE / alarms)):,} rows on: give more samples, or a "
            "larger detect.alarms_per_thousand or recipe.training.validation_share"
        )


def served(latents: Latents) -> list[str]:
    """The detectors whose columns the latents have."""
    return [kind for kind in DETECTORS.kinds() if {*_needs(kind)} <= {*latents.names}]


def _needs(kind: str) -> tuple[str, ...]:
    return DETECTORS.maker(kind).needs  # type: ignore[attr-defined]


def normal_rows(latents: Latents) -> np.ndarray:
    """A bool per row: whether it is normal. All are, unless the encoder learned from some labels alone."""
    if not latents.normal_labels:
        return np.ones(len(latents), bool)
    return latents.labels.isin(latents.normal_labels)


def anomalous_rows(latents: Latents) -> np.ndarray:
    """A bool per row: whether its label says that it is not normal."""
    return latents.labelled & ~normal_rows(latents)


def calibration_rows(latents: Latents) -> np.ndarray:
    """A bool per row: normal rows of the train split that the encoder has not learned from; where none were held out,
    those that it has learned from."""
    normal = normal_rows(latents)
    held_out = normal & latents.in_split("train") & ~latents.seen
    return held_out if held_out.any() else normal & latents.seen


def fit_detector(latents: Latents, options: DetectOptions) -> AnomalyModel:
    """The detector, fitted on normal rows that the encoder has learned from, with its threshold.

    Test rows and labels other than the normal ones have no influence.
    """
    options = options.for_latents(latents)
    scorer = _fit_scorer(latents, options)
    rows = np.flatnonzero(calibration_rows(latents))
    threshold = quantile_of_new(scorer.scores(latents, rows), options.alarms_per_thousand / 1000)
    return AnomalyModel(
        encoded_by=EncodedBy.of(latents),
        kind=str(options.kind),
        scorer=scorer,
        threshold=threshold,
        alarms_per_thousand=options.alarms_per_thousand,
        calibration_rows=len(rows),
        held_out=not latents.seen[rows].any(),
    )


def quantile_of_new(scores: np.ndarray, share: float) -> float:
    """The value that a new score of the same kind exceeds with a probability of at most `share`; of fewer than
    1 / share - 1 scores the highest, since no score can promise more.

    The ⌈(n + 1)(1 - share)⌉-th smallest of n (split conformal prediction, Papadopoulos et al. 2002).
    """
    place = min(int(np.ceil((len(scores) + 1) * (1 - share) - 1e-9)), len(scores))
    return float(np.partition(scores, place - 1)[place - 1])


def find_anomalies(model: AnomalyModel, latents: Latents) -> pd.DataFrame:
    """One row per sample: `sample_id`, its `score` (higher is odder) and whether it is an `anomaly`."""
    model.encoded_by.refuse_other(latents, "anomaly model", "detect")
    scores = model.scorer.scores(latents, np.arange(len(latents)))
    return pd.DataFrame(
        {"sample_id": latents.column("sample_id"), "score": scores, "anomaly": scores > np.float32(model.threshold)}
    )


def detection_metrics(latents: Latents, model: AnomalyModel, anomalies: Table) -> dict[str, float]:
    """`threshold`, `alarms_per_thousand` as requested and measured on `normal_rows` of the test split,
    `calibration_rows`, and, where it has known anomalies, how many `anomalous_rows`, `auroc`, `average_precision`,
    `recall` at the threshold and `recall_at_one_per_thousand` (of the anomalies, where one in 1,000 normal test rows is
    an alarm). What is measured has the bounds of its 95 % interval, `<name>_low` and `<name>_high`."""
    normal, odd = (rows & latents.in_split("test") for rows in (normal_rows(latents), anomalous_rows(latents)))
    scores, found = anomalies["score"].to_numpy(), anomalies["anomaly"].to_numpy()
    metrics = {
        "threshold": model.threshold,
        "alarms_per_thousand": model.alarms_per_thousand,
        "calibration_rows": float(model.calibration_rows),
        "anomalies": float(found.sum()),
    }
    if normal.any():
        metrics["normal_rows"] = float(normal.sum())
        metrics["measured_alarms_per_thousand"] = 1000 * float(found[normal].mean())
        low, high = intervals.proportion(float(found[normal].mean()), int(normal.sum()))
        metrics |= intervals.bounds("measured_alarms_per_thousand", (1000 * low, 1000 * high))
    if normal.any() and odd.any():
        metrics |= _separation(scores[normal], scores[odd]) | {"recall": float(found[odd].mean())}
        metrics |= {"anomalous_rows": float(odd.sum())} | _bounds(metrics, scores[normal], scores[odd])
    return metrics


def fewer_rows(metrics: dict[str, float]) -> int:
    """How many rows there are of the rarer kind, normal or anomalous."""
    return int(min(metrics["normal_rows"], metrics["anomalous_rows"]))


def auroc_of_each(latents: Latents, options: DetectOptions) -> dict[str, float]:
    """`auroc_<kind>` of every detector whose columns the latents have and that can learn from them, where the test
    split has known anomalies."""
    draw = np.random.default_rng(options.seed)
    groups = [
        draw.permutation(np.flatnonzero(rows & latents.in_split("test")))[:JUDGED_ROWS]
        for rows in (normal_rows(latents), anomalous_rows(latents))
    ]
    if not all(map(len, groups)):
        return {}
    chosen, found = options.for_latents(latents), {}
    for kind in served(latents):
        with suppress(InputError):  # one that was not chosen must not end the run
            scorer = _fit_scorer(latents, chosen.for_kind(kind))
            found[f"auroc_{kind}"] = _auroc(*(scorer.scores(latents, rows) for rows in groups))
    return found


def oddest(scores: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` highest scores, the highest first."""
    first = np.argpartition(-scores, min(count, len(scores)) - 1)[:count]
    return first[np.argsort(-scores[first], kind="stable")]


def listed(anomalies: pd.DataFrame, residual: np.ndarray | None, spec: SampleSpec) -> pd.DataFrame:
    """Some anomalies with, of a table that is reconstructed, `reconstruction_error` and `most_of_it`: the three columns
    with the largest errors, "age: 3.1, kind: 0.2, height: 0.1 of 3.5"; `residual` (n, features)."""
    table = anomalies.reset_index(drop=True)
    if residual is None or not treatments.columns_of(spec.preprocessing):
        return table
    errors = treatments.errors_by_column(np.square(residual, dtype=np.float64), spec.preprocessing)
    return table.assign(reconstruction_error=errors.sum(axis=1), most_of_it=treatments.worst(errors))


def scores_by_group(latents: Latents, scores: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of normal rows that were held out from the encoder, of normal test rows, and of test rows that are known
    to be anomalous; groups without rows are left out."""
    normal, test = normal_rows(latents), latents.in_split("test")
    groups = {
        "normal, held out": normal & latents.in_split("train") & ~latents.seen,
        "normal, test": normal & test,
        "anomalous, test": anomalous_rows(latents) & test,
    }
    return {name: scores[rows] for name, rows in groups.items() if rows.any()}


def in_words(model: AnomalyModel, anomalies: Table) -> str:
    """What was found, in one line."""
    return (
        f"The oddest samples by {model.kind}: {int(anomalies['anomaly'].sum()):,} of {len(anomalies):,} lie above the "
        f"threshold, set so that {model.alarms_per_thousand:g} of 1,000 normal samples do"
    )


def _fit_scorer(latents: Latents, options: DetectOptions) -> Scorer:
    rows = np.flatnonzero(normal_rows(latents) & latents.seen)
    if len(rows) < 2:
        normal = f" with the normal label {first_of(latents.normal_labels)}" if latents.normal_labels else ""
        raise InputError(
            f"a detector needs at least two rows{normal} that the encoder has learned from, but these latents have "
            f"{len(rows)}: give more samples, or embed those that the encoder was trained on"
        )
    return options.build().fit(latents, rows, options.seed)


def _separation(normal: np.ndarray, odd: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import average_precision_score

    truth, scores = np.repeat([0, 1], [len(normal), len(odd)]), np.concatenate([normal, odd])
    return {
        "auroc": _auroc(normal, odd),
        "average_precision": float(average_precision_score(truth, scores)),
        "recall_at_one_per_thousand": float((odd > np.sort(normal)[-1 - len(normal) // 1000]).mean()),
    }


def _bounds(metrics: dict[str, float], normal: np.ndarray, odd: np.ndarray) -> dict[str, float]:
    found = {
        "auroc": intervals.auroc(metrics["auroc"], len(normal), len(odd)),
        "average_precision": intervals.average_precision(normal, odd),
        **{name: intervals.proportion(metrics[name], len(odd)) for name in ("recall", "recall_at_one_per_thousand")},
    }
    return {key: end for name, ends in found.items() for key, end in intervals.bounds(name, ends).items()}


def _auroc(normal: np.ndarray, odd: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.repeat([0, 1], [len(normal), len(odd)]), np.concatenate([normal, odd])))
