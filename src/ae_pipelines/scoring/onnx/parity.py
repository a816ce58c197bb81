"""Whether files answer as the models they were made from."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification, clustering, detection
from ae_pipelines.downstream.classification import Classifier
from ae_pipelines.downstream.clustering import Groups
from ae_pipelines.downstream.detection import AnomalyModel
from ae_pipelines.latents.file import Latents, LatentsInMemory
from ae_pipelines.scoring.onnx.onnx_contract import Parity

TOLERANCE = 1e-4
"""Allowed difference, relative to an output's largest absolute value; also how far latents are moved to find ties."""
DRAWS = 16
"""Draws of latents that differ by `TOLERANCE`: near a tie, each falls to either side with an even chance."""

Answers = Mapping[str, np.ndarray]
Again = Callable[[np.ndarray], Iterator[Answers]]
"""For these rows, the models' answers for latents that differ by no more than rounding."""


class OnLatents:
    """What the models on the latents answer for some samples, as in the stages; `InputError` if a model was fitted on
    other latents."""

    def __init__(
        self, latents: Latents, groups: Groups, classifier: Classifier | None, anomaly_model: AnomalyModel
    ) -> None:
        self._latents, self._groups, self._classifier, self._anomalies = latents, groups, classifier, anomaly_model
        self.answers: Answers = self._said(latents)
        """`cluster`, `distance`, `class_number` and `probability` (where there is a classifier), `anomaly_score` and
        `anomaly`."""

    def about(self) -> dict[str, object]:
        """What a reader of the numbers must know."""
        return {
            "classes": [] if self._classifier is None else list(map(str, self._classifier.classes)),
            "groups": len(self._groups.centres),
            "anomaly_threshold": self._anomalies.threshold,
        }

    def again(self, rows: np.ndarray) -> Iterator[Answers]:
        """Of these rows, of latents to each of whose values `TOLERANCE` of the largest is added or subtracted; so it
        is for scores before they are held against the threshold."""
        draw, vectors = np.random.default_rng(0), self._latents.vectors
        table, size = self._latents.table.iloc[rows].reset_index(drop=True), TOLERANCE * np.abs(vectors).max()
        for number in range(DRAWS):
            signs = draw.choice([-1, 1], (len(rows), vectors.shape[1]))
            moved = (vectors[rows] + signs * size).astype(np.float32)
            said = self._said(LatentsInMemory(table, moved, self._latents.metadata))
            score = said["anomaly_score"] * (1 + (-1) ** number * TOLERANCE)
            yield said | {"anomaly": score > np.float32(self._anomalies.threshold)}

    def _said(self, latents: Latents) -> dict[str, np.ndarray]:
        clusters = clustering.assign(self._groups, latents)
        odd = detection.find_anomalies(self._anomalies, latents)
        return {
            "cluster": clusters["cluster"].to_numpy(np.int64),
            "distance": clusters["distance"].to_numpy(),
            **self._classes(latents),
            "anomaly_score": odd["score"].to_numpy(),
            "anomaly": odd["anomaly"].to_numpy(),
        }

    def _classes(self, latents: Latents) -> dict[str, np.ndarray]:
        if self._classifier is None:
            return {}
        classes = classification.predict(self._classifier, latents)
        return {
            "class_number": np.searchsorted(self._classifier.classes, classes["predicted"].to_numpy(str)),
            "probability": classes["probability"].to_numpy(),
        }


def parity(file: str, found: Answers, expected: Answers, again: Again | None = None) -> dict[str, Parity]:
    """How each output of `file` compares, (rows, ...) by name; `InputError` names the one that differs too much.

    A row may differ where the models themselves say so when asked `again`: it is a near tie.
    """
    apart = {name: _apart(found[name], expected[name]) for name in found}
    rows = np.flatnonzero(np.any([column > TOLERANCE for column in apart.values()], axis=0))
    said = [*again(rows)] if again and len(rows) else []
    compared = {}
    for name, column in apart.items():
        tie = np.zeros(len(column), bool)
        if said and name in said[0]:
            told = np.stack([expected[name][rows], *(answer[name] for answer in said)])
            tie[rows] = (column[rows] > TOLERANCE) & _among(found[name][rows], told, _size(expected[name]))
        _refuse_other(file, name, column[~tie])
        compared[name] = _parity(found[name], expected[name], column[~tie], int(tie.sum()))
    return compared


def largest(parities: Mapping[str, Parity]) -> float:
    """The largest difference over all outputs."""
    return max(found.difference for found in parities.values() if found.difference is not None)


def _parity(found: np.ndarray, expected: np.ndarray, apart: np.ndarray, near_ties: int) -> Parity:
    if _is_number_of(expected):
        return Parity(equal_share=float((found == expected).mean()), near_ties=near_ties)
    return Parity(difference=float(apart.max(initial=0)), near_ties=near_ties)


def _apart(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest difference of each row, relative to the largest absolute value of all; 1 for another number of a
    group or class, infinite where one of both is not finite."""
    if _is_number_of(expected):
        return (found != expected).astype(float)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0, np.abs(found.astype(float) - expected)) / _size(expected)
    return np.nan_to_num(apart, nan=np.inf).reshape(len(apart), -1).max(axis=1)


def _among(found: np.ndarray, told: np.ndarray, size: float) -> np.ndarray:
    """Whether each value (rows,) is one of the draws (draws, rows), or lies between them."""
    if _is_number_of(told):
        return (told == found).any(axis=0)
    low, high = np.fmin.reduce(told), np.fmax.reduce(told)  # NaN is left out where there are other values
    between = (found >= low - TOLERANCE * size) & (found <= high + TOLERANCE * size)
    return between | (np.isnan(found) & np.isnan(told).any(axis=0))


def _is_number_of(values: np.ndarray) -> bool:
    """Whether values are integers or bools, which are compared exactly."""
    return values.dtype.kind in "iub"


def _size(values: np.ndarray) -> float:
    """The largest absolute value that is finite."""
    finite = np.abs(values[np.isfinite(values)])
    return max(float(finite.max(initial=0)), float(np.finfo(np.float32).tiny))


def _refuse_other(file: str, output: str, apart: np.ndarray) -> None:
    if (bad := int((apart > TOLERANCE).sum())) == 0:
        return
    raise InputError(
        f"{file}.onnx would not be the trained model: its output {output!r} differs on {bad} of {len(apart)} samples, "
        f"by up to {apart.max():.1e} of the largest value (at most {TOLERANCE:g} is allowed), so nothing was exported. "
        "Choose another kind for the part that gives it"
    )
