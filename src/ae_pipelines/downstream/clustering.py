"""Groups among latents, found without labels."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, field_validator, model_validator

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.options import Options
from ae_pipelines.base.part_files import ROWS_AT_ONCE
from ae_pipelines.base.registry import Choice
from ae_pipelines.downstream import contingency, intervals, silhouettes
from ae_pipelines.downstream.clusterers import CLUSTERERS, Assigner, Clusterer, Grouping, Refining
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.labels import Labels
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

WITHOUT_LABELS = range(2, 16)
"""Numbers of groups that are tried where neither an option nor labels say how many there are."""
ABOUT = ("labelled_rows", "majority")
"""Metrics that say what was judged; the same for all latents of the same samples."""
BETTER = {"silhouette": 1, "bic": -1}
"""Whether a higher (1) or a lower (-1) value of a criterion is better."""


class Range(Options):
    """Numbers of groups to choose among, both ends included."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)
    first: Annotated[int, Field(gt=1, alias="from")]
    last: Annotated[int, Field(gt=1, alias="to")]

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.first > self.last:
            raise ValueError(f"from {self.first} to {self.last} is not a range: give the smaller number first")
        return self


class ClusterOptions(Choice):
    """How latents are grouped: a kind of clusterer with its own options, and these."""

    registry = CLUSTERERS
    kind: str = "kmeans"
    clusters: int | Range | None = None
    """Number of groups; {from: 2, to: 20} chooses among these; None takes the number of different labels, or chooses
    among 2 to 15 where there are fewer than two."""
    choose_by: Literal["silhouette", "bic"] | None = None
    """Criterion for the number of groups, without labels; None: bic where the kind has one, else silhouette."""
    fit_on: Literal["all", "train"] = "all"
    """With train, groups are found without the rows of the test split, which are assigned as new ones would be."""
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("clusters", mode="before")
    @classmethod
    def _a_number_or_a_range(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return Range.model_validate(given)
        if given is None or isinstance(given, Range) or (type(given) is int and given > 1):
            return given
        raise ValueError(
            f"given {given!r}, but input should be greater than 1, a whole number, or a range {{from, to}}"
        )

    def check(self) -> dict[str, Any]:
        """Every option of the kind, defaults included; `InputError` if they do not fit it."""
        own, common = self.registry.options(self.kind).model_fields, type(self).model_fields
        for name in sorted(set(self.model_extra or {}) - set(own)):
            raise InputError(f"clusterer {self.kind!r}: {name}: no such option; {suggestion(name, [*common, *own])}")
        if self._maker.finds_number and self.clusters is not None:
            raise InputError(f"{self.kind} finds the number of groups itself, but clusters is given: leave it out")
        if self.choose_by == "bic" and not self._maker.has_bic:
            raise InputError(f"{self.kind} has no bic to choose by: give choose_by silhouette, or another kind")
        return super().check()

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if there are fewer samples, or fewer distinct ones, than groups."""
        rows = len(samples) if self.fit_on == "all" else len(samples.positions("train"))
        possible = min(rows - 1, samples.distinct(at_least=WITHOUT_LABELS.stop))
        most = max(self.numbers(len(samples.label_counts().groupby(level="label").sum()), possible), default=1)
        _refuse_too_few(rows, most)
        distinct = samples.distinct(at_least=most)
        if distinct < most:
            raise InputError(
                f"the {len(samples)} samples have only {distinct} different contents, too few for {most} groups: "
                "give fewer groups, or more samples"
            )

    def numbers(self, labels: int, possible: int) -> list[int]:
        """Numbers of groups to choose among; none where the kind finds the number. Where neither options nor labels
        name one, `WITHOUT_LABELS`, as far as so many groups are possible."""
        if self._maker.finds_number:
            return []
        if isinstance(self.clusters, Range):
            return list(range(self.clusters.first, self.clusters.last + 1))
        if self.clusters is None and labels < 2:
            return [number for number in WITHOUT_LABELS if number <= max(possible, 2)]
        return [self.clusters or labels]

    @property
    def _maker(self) -> Any:
        return self.registry.maker(self.kind)

    @property
    def criterion(self) -> str:
        """Criterion that chooses the number of groups."""
        return self.choose_by or ("bic" if self._maker.has_bic else "silhouette")


@dataclass(frozen=True)
class Tried:
    """Numbers of groups that were tried."""

    numbers: list[int]
    criterion: str
    values: list[float]
    """Value of the criterion for each number; NaN where it is not defined."""


@dataclass(frozen=True)
class Groups:
    """Groups of latents, and what assigns others to them."""

    encoded_by: EncodedBy
    kind: str
    centres: np.ndarray
    """(groups, d), in the space of the latents."""
    assigner: Assigner
    measures: dict[str, float]
    """Measures that only this kind has, over the rows it was fitted on, such as `inertia` or `bic`."""
    fit_on: str
    """`all` or `train`."""
    tried: Tried


def fit_groups(latents: Latents, options: ClusterOptions) -> Groups:
    """Groups of all latents, or of the train split."""
    clusterer: Clusterer = options.build()
    fitted = _FittedRows.of(latents, options.fit_on)
    vectors = fitted.sample(clusterer, options.seed)
    possible = min(len(vectors) - 1, len(np.unique(vectors[: 100 * WITHOUT_LABELS.stop], axis=0)))
    numbers = options.numbers(len(latents.labels.counts()), possible)
    if len(vectors) < len(fitted):
        log.info("%s looks for groups among %d of %d latents", options.kind, len(vectors), len(fitted))
    if len(numbers) > 1:
        log.info("choosing among %d to %d groups by %s", numbers[0], numbers[-1], options.criterion)
    _refuse_too_few(len(vectors), max(numbers, default=1))
    _refuse_too_alike(vectors, max(numbers, default=1), len(fitted))
    best, tried = _best(clusterer.groupings(vectors, numbers, options.seed), numbers, options)
    if len(vectors) < len(fitted) and isinstance(clusterer, Refining):
        best = clusterer.refined(best, fitted)
    about = (EncodedBy.of(latents), options.kind)
    return Groups(*about, best.centres, best.assigner, best.measures, options.fit_on, tried)


def assign(model: Groups, latents: Latents) -> pd.DataFrame:
    """One row per sample: `sample_id`, its `cluster` (-1 for noise) and the `distance` to that cluster's centre, NaN
    for noise; its `attrs`, which parquet keeps, name the encoder. `InputError` for latents of another one."""
    model.encoded_by.refuse_other(latents, "groups", "cluster")
    clusters = np.asarray(model.assigner.predict(latents.vectors), np.int32)
    distances = _distances(latents.vectors, model.centres, clusters)
    table = pd.DataFrame({"sample_id": latents.column("sample_id"), "cluster": clusters, "distance": distances})
    table.attrs["encoder"] = latents.encoder
    return table


def cluster_metrics(latents: Latents, model: Groups, clusters: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Number of `clusters`, `silhouette` (without noise, none for fewer than two groups) and what the kind measures;
    where there are labels also `accuracy` (each cluster given its best class, one to one; noise counts as wrong),
    `nmi` and `ari` (noise is one more group) over the labelled rows, each with the bounds of its 95 % interval,
    `<name>_low` and `<name>_high`, how many `labelled_rows` these are, the share of the commonest class among them,
    `majority`, and for groups that were fitted on the train
    split `unseen_accuracy`: that of test rows, with classes matched on train rows."""
    metrics = {"clusters": float(len(model.centres)), **model.measures}
    rows = silhouettes.sampled_rows(clusters, seed)
    if np.isfinite(value := silhouettes.silhouette(latents.at(rows), clusters[rows])):
        metrics["silhouette"] = value
    if latents.labelled.any():
        metrics |= contingency.agreement(contingency.counted(latents.labels, clusters))
    return metrics | (_unseen(latents, clusters) if model.fit_on == "train" else {})


def _unseen(latents: Latents, clusters: np.ndarray) -> dict[str, float]:
    """Accuracy of test rows, with classes matched on train rows; nothing without labels in both."""
    counts = [contingency.counted(latents.labels, clusters, latents.in_split(split)) for split in ("train", "test")]
    train, test = counts
    if not train.any() or not test.any():
        return {}
    accuracy = contingency.accuracy(test, contingency.matched(train))
    return {
        "unseen_accuracy": accuracy,
        **intervals.bounds("unseen_accuracy", intervals.proportion(accuracy, int(test.sum()))),
    }


def matched_accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows whose cluster is matched to their class, under the best one-to-one matching (Kuhn 1955); noise,
    -1, is matched to none."""
    counts = contingency.counted(Labels.of(labels), clusters)
    return contingency.accuracy(counts, contingency.matched(counts))


@dataclass(frozen=True)
class _FittedRows:
    """The vectors among which groups are looked for; as an iterable, in pieces."""

    latents: Latents
    chosen: np.ndarray | None
    """A bool per row of the latents; None: all."""

    @classmethod
    def of(cls, latents: Latents, fit_on: str) -> "_FittedRows":
        return cls(latents, latents.in_split("train") if fit_on == "train" else None)

    def __len__(self) -> int:
        return len(self.latents) if self.chosen is None else int(self.chosen.sum())

    def __iter__(self) -> Iterator[np.ndarray]:
        start = 0
        for piece in self.latents.vectors_in_pieces():
            yield piece if self.chosen is None else piece[self.chosen[start : start + len(piece)]]
            start += len(piece)

    def sample(self, clusterer: Clusterer, seed: int) -> np.ndarray:
        """All, or of more than the clusterer is given at once a random sample."""
        most = clusterer.most_rows
        if most is None or len(self) <= most:
            return self.latents.vectors if self.chosen is None else self.latents.at(self.chosen)
        some = min(clusterer.start_rows, most) if isinstance(clusterer, Refining) else most
        places = np.sort(np.random.default_rng(seed).choice(len(self), some, replace=False))
        return self.latents.at(places if self.chosen is None else np.flatnonzero(self.chosen)[places])


def _best(groupings: Iterator[Grouping], numbers: list[int], options: ClusterOptions) -> tuple[Grouping, Tried]:
    """The best grouping, and what was tried if there was a choice."""
    if len(numbers) < 2:
        return next(groupings), Tried([], options.criterion, [])
    values: list[float] = []

    def goodness(grouping: Grouping) -> float:
        values.append(_value(options.criterion, grouping, options.seed))
        return -np.inf if np.isnan(values[-1]) else BETTER[options.criterion] * values[-1]

    best = max(groupings, key=goodness)  # made one by one, only the best is kept
    return best, Tried(numbers, options.criterion, values)


def _value(criterion: str, grouping: Grouping, seed: int) -> float:
    if criterion in grouping.measures:
        return grouping.measures[criterion]
    return silhouettes.of_sample(grouping.space, grouping.groups, seed)


def _distances(vectors: np.ndarray, centres: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Distance of each vector to its centre, (n,), float32; NaN for noise."""
    ends = np.vstack([centres, np.full((1, vectors.shape[1]), np.nan)])  # index -1: noise
    distances = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        distances[part] = np.linalg.norm(vectors[part] - ends[clusters[part]], axis=1)
    return distances


def _refuse_too_alike(vectors: np.ndarray, clusters: int, rows: int) -> None:
    """`InputError` unless there are as many different vectors as groups among all `rows`, or the sample of them that
    groups are looked for in; the first vectors are mostly enough to tell."""
    distinct = len(np.unique(vectors[: 100 * clusters], axis=0))
    if distinct < clusters:
        distinct = len(np.unique(vectors, axis=0))
    if distinct < clusters:
        who = "the samples" if len(vectors) == rows else f"{len(vectors)} of {rows} samples, drawn at random,"
        raise InputError(
            f"{who} have {distinct} different latents, too few for {clusters} groups: "
            "give fewer groups, or train an encoder that tells samples apart"
        )


def _refuse_too_few(samples: int, clusters: int) -> None:
    if samples <= clusters:
        raise InputError(f"{samples} samples cannot make {clusters} groups: give more samples or fewer groups")
