"""Groups among latents, found without labels."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, field_validator, model_validator

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.base.options import Options
from ae_pipelines.base.registry import Choice
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.clusterers import CLUSTERERS, Assigner, Clusterer, Grouping
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

SILHOUETTE_ROWS = 10_000
"""The silhouette is quadratic in rows: above this many it is taken over a random sample."""
ROWS_AT_ONCE = 65_536
SHOWN_GROUPS = 20
SHOWN_SAMPLES = 12
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
    vectors = _vectors_to_fit(latents, options, clusterer.most_rows)
    possible = min(len(vectors) - 1, len(np.unique(vectors[: 100 * WITHOUT_LABELS.stop], axis=0)))
    numbers = options.numbers(len(latents.labels.counts()), possible)
    if len(numbers) > 1:
        log.info("choosing among %d to %d groups by %s", numbers[0], numbers[-1], options.criterion)
    _refuse_too_few(len(vectors), max(numbers, default=1))
    _refuse_too_alike(vectors, max(numbers, default=1))
    groupings = clusterer.groupings(vectors, numbers, options.seed)
    best, tried = _best(groupings, numbers, options)
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
    if np.isfinite(value := silhouette(latents.vectors, clusters, seed)):
        metrics["silhouette"] = value
    if latents.labelled.any():
        metrics |= _agreement(latents.labels[latents.labelled], clusters[latents.labelled])
    train, test = (latents.labelled & latents.in_split(split) for split in ("train", "test"))
    if model.fit_on == "train" and train.any() and test.any():
        classes = _classes_of_clusters(latents.labels[train], clusters[train])
        metrics["unseen_accuracy"] = unseen = _accuracy(latents.labels[test], clusters[test], classes)
        metrics |= intervals.bounds("unseen_accuracy", intervals.proportion(unseen, int(test.sum())))
    return metrics


def silhouette(vectors: np.ndarray, clusters: np.ndarray, seed: int = 0) -> float:
    """How much nearer rows are to their own group than to the next (Rousseeuw 1987), without noise, over a random
    sample of at most `SILHOUETTE_ROWS`; NaN for fewer than two groups, or as many as rows."""
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    random = np.random.default_rng(seed).permutation(len(vectors))[:SILHOUETTE_ROWS]
    rows = np.union1d(random, np.unique(clusters, return_index=True)[1])  # every group is in the sample
    rows = rows[clusters[rows] >= 0]
    if not 2 <= len(np.unique(clusters[rows])) < len(rows):
        return float("nan")
    with config_context(working_memory=64):  # MB; the default of 1 GB is more than the rest of a run takes
        return float(silhouette_score(vectors[rows], clusters[rows]))


def matched_accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows whose cluster is matched to their class, under the best one-to-one matching (Kuhn 1955); noise,
    -1, is matched to none."""
    return _accuracy(labels, clusters, _classes_of_clusters(labels, clusters))


def cluster_sizes(latents: Latents, clusters: Table) -> pd.DataFrame:
    """One row per group, noise (-1) first: `size`, `share` of all rows, `mean_distance` to the centre, how many rows
    are `labelled`, the commonest `label` among these and its share of them, `purity`, with the bounds of its 95 %
    interval, `purity_low` and `purity_high`."""
    groups = pd.DataFrame({name: clusters[name] for name in ("cluster", "distance")}).groupby("cluster")
    table = pd.DataFrame({"size": groups.size(), "mean_distance": groups["distance"].mean()})
    table.insert(1, "share", table["size"] / len(clusters))
    found = clusters["cluster"].to_numpy()[latents.labelled]
    counts = pd.crosstab(found, latents.labels[latents.labelled]).reindex(table.index, fill_value=0)
    table["labelled"] = counts.sum(axis=1)
    known = table["labelled"] > 0
    table["label"] = pd.Series(counts[known].idxmax(axis=1) if known.any() else None, table.index, dtype="str")
    table["purity"] = counts.max(axis=1) / table["labelled"].where(known)
    ends = [intervals.proportion(*row) for row in table.loc[known, ["purity", "labelled"]].itertuples(index=False)]
    for place, bound in enumerate(intervals.BOUNDS):
        table[f"purity_{bound}"] = pd.Series([end[place] for end in ends], table.index[known], dtype=float)
    return table.reset_index()


def nearest_samples(samples: Samples, clusters: Table) -> dict[int, np.ndarray]:
    """For each of the `SHOWN_GROUPS` largest groups the samples nearest to its centre, nearest first, at most
    `SHOWN_SAMPLES`, (count, *shape), float32, as a model gets them; noise is not a group."""
    rows = _nearest_rows(clusters["cluster"].to_numpy(), clusters["distance"].to_numpy())
    shown = np.concatenate([*rows.values(), np.array([], int)])
    ids = clusters.take(shown)["sample_id"].set_axis(shown)
    places = _places(samples, ids)
    found = {group: places.reindex(ids.loc[these]).dropna().to_numpy(int) for group, these in rows.items()}
    return {group: samples.spec.as_input(samples.take(these)) for group, these in found.items()}


def _nearest_rows(clusters: np.ndarray, distances: np.ndarray) -> dict[int, np.ndarray]:
    """For each of the largest groups the rows nearest to its centre, nearest first."""
    sizes = np.bincount(clusters[clusters >= 0])
    largest = np.argsort(-sizes, kind="stable")[:SHOWN_GROUPS]
    rows = {int(group): np.flatnonzero(clusters == group) for group in np.sort(largest) if sizes[group]}
    return {group: these[np.argsort(distances[these], kind="stable")[:SHOWN_SAMPLES]] for group, these in rows.items()}


def _places(samples: Samples, ids: pd.Series) -> pd.Series:
    """Positions in the store by sample id, without those that it no longer has."""
    wanted, start, found = pa.array(ids, pa.string()), 0, dict[str, int]()
    for batch in samples.index_batches("sample_id"):
        for place in np.flatnonzero(pc.is_in(batch.column(0).cast(pa.string()), wanted)):
            found[batch.column(0)[int(place)].as_py()] = start + int(place)
        start += len(batch)
    return pd.Series(found, dtype=float)


def _vectors_to_fit(latents: Latents, options: ClusterOptions, most: int | None) -> np.ndarray:
    """The vectors among which groups are looked for."""
    rows = np.flatnonzero(latents.in_split("train")) if options.fit_on == "train" else np.arange(len(latents))
    if most is not None and len(rows) > most:
        log.info("%s looks for groups among %d of %d latents", options.kind, most, len(rows))
        rows = np.sort(np.random.default_rng(options.seed).choice(rows, most, replace=False))
    return latents.vectors if len(rows) == len(latents) else latents.at(rows)


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
    return silhouette(grouping.space, grouping.groups, seed)


def _distances(vectors: np.ndarray, centres: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Distance of each vector to its centre, (n,), float32; NaN for noise."""
    ends = np.vstack([centres, np.full((1, vectors.shape[1]), np.nan)])  # index -1: noise
    distances = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        distances[part] = np.linalg.norm(vectors[part] - ends[clusters[part]], axis=1)
    return distances


def _agreement(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    counts = pd.crosstab(labels, clusters).to_numpy()
    metrics = {
        "accuracy": matched_accuracy(labels, clusters),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
        "labelled_rows": float(len(labels)),
        "majority": float(counts.sum(axis=1).max() / len(labels)),
    }
    found = {"accuracy": intervals.proportion(metrics["accuracy"], len(labels)), **intervals.agreement(counts)}
    return metrics | {key: end for name, ends in found.items() for key, end in intervals.bounds(name, ends).items()}


def _classes_of_clusters(labels: np.ndarray, clusters: np.ndarray) -> dict[int, str]:
    """The class of each cluster under the best one-to-one matching; some clusters have none."""
    from scipy.optimize import linear_sum_assignment

    counts = pd.crosstab(labels, clusters).drop(columns=-1, errors="ignore")
    classes, groups = linear_sum_assignment(counts.to_numpy(), maximize=True)
    return dict(zip(counts.columns[groups], counts.index[classes], strict=True))


def _accuracy(labels: np.ndarray, clusters: np.ndarray, classes: dict[int, str]) -> float:
    return float((pd.Series(clusters).map(classes).to_numpy() == labels).mean())


def _refuse_too_alike(vectors: np.ndarray, clusters: int) -> None:
    """`InputError` unless there are as many different vectors as groups; the first rows are mostly enough to tell."""
    distinct = len(np.unique(vectors[: 100 * clusters], axis=0))
    if distinct < clusters:
        distinct = len(np.unique(vectors, axis=0))
    if distinct < clusters:
        raise InputError(
            f"the samples have {distinct} different latents, too few for {clusters} groups: "
            "give fewer groups, or train an encoder that tells samples apart"
        )


def _refuse_too_few(samples: int, clusters: int) -> None:
    if samples <= clusters:
        raise InputError(f"{samples} samples cannot make {clusters} groups: give more samples or fewer groups")
