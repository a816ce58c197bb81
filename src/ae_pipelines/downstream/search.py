"""Which samples are alike: nearest neighbours among latents."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.nearest import EXACT_ROWS, Index
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

JUDGED_ROWS = (1_000, 10_000)
"""Least and most test rows whose neighbours are judged; the more train rows to compare with, the fewer."""
JUDGED_PAIRS = 10**9
"""Most comparisons, a few seconds' worth, unless even the least number of test rows needs more."""
RECALL_ROWS = 1_000
"""Number of queries for which an approximate index is compared with an exact one."""
MANY_QUERIES = 10_000
"""For fewer, comparing each with everything takes less time than building an approximate index."""
ABOUT = ("test_rows",)
"""Metrics that say what was judged; the same for all latents of the same samples."""
KNOWN_IDS = 5
"""Number of known ids listed where an id is unknown."""


class SearchOptions(Options):
    """What to look for, and how much of it."""

    ids: tuple[str, ...] = ()
    """Samples to find the neighbours of, by `sample_id`."""
    image: Path | None = None
    """A new image file to find the neighbours of."""
    random: Annotated[int, Field(gt=0)] = 6
    """Number of test samples to find the neighbours of where neither `ids` nor an `image` is given."""
    k: Annotated[int, Field(gt=0)] = 9
    """Number of neighbours of each."""
    exact: bool | None = None
    """false: by an approximate index (HNSW). None: approximate where that pays, with more than 1,000,000 latents and
    10,000 queries."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if an id is unknown, the image cannot be compared, or there are too few neighbours."""
        _refuse_too_few(len(samples), self.k)
        if self.ids:
            _refuse_unknown(self.ids, pd.Index(samples.index["sample_id"]))
        if self.image is not None:
            from ae_pipelines.samples import new_image  # imports Pillow

            new_image.as_stored(self.image, samples.spec)


@dataclass(frozen=True)
class Queries:
    """The samples or images whose neighbours are looked for."""

    names: list[str]
    """Sample ids, or the path of an image."""
    vectors: np.ndarray
    """(n, d), float32."""
    rows: np.ndarray
    """Position of each among the latents; -1 for an image, which is not among them."""


def queries(latents: Latents, options: SearchOptions, encode: Callable[[Path], np.ndarray]) -> Queries:
    """The queries asked for; `encode` gives the latent (1, d) of an image file. `InputError` if an id is unknown."""
    ids = pd.Index(latents.column("sample_id"))
    _refuse_unknown(options.ids, ids)
    rows = ids.get_indexer(list(options.ids)).astype(np.int64)
    if not options.ids and options.image is None:
        rows = _random_rows(latents, options)
    found = Queries(ids[rows].tolist(), latents.at(rows), rows)
    if options.image is None:
        return found
    return Queries(
        [str(options.image), *found.names],
        np.concatenate([encode(options.image), found.vectors]),
        np.concatenate([[-1], found.rows]),
    )


def neighbours(latents: Latents, wanted: Queries, options: SearchOptions) -> pd.DataFrame:
    """`options.k` rows per query, nearest first: `query`, `rank` from 1, `sample_id`, Euclidean `distance` and `label`
    (None where unknown). A sample is not its own neighbour, but one with an equal latent is."""
    _refuse_too_few(len(latents), options.k)
    index = Index(latents.vectors, _is_exact(len(latents), len(wanted.rows), options))
    distances, rows = index.nearest(wanted.vectors, options.k + 1)
    kept = _without_own(rows, wanted.rows, options.k)
    places, table = rows[kept], latents.table
    return pd.DataFrame(
        {
            "query": np.repeat(wanted.names, kept.sum(axis=1)),
            "rank": np.concatenate([np.arange(1, count + 1, dtype=np.int32) for count in kept.sum(axis=1)]),
            "sample_id": table["sample_id"].to_numpy()[places],
            "distance": distances[kept],
            "label": table["label"].to_numpy(object)[places],
        }
    )


@dataclass(frozen=True)
class Line:
    """A query and its neighbours, to be drawn."""

    pictures: np.ndarray
    """(1 + k, *shape), as the model gets them; the query first."""
    labels: list[str]
    """Label of each picture; empty where unknown."""
    distances: list[float]
    """Distances of the neighbours."""


def lines(found: pd.DataFrame, latents: Latents, samples: Samples) -> list[Line]:
    """A line for each query."""
    ids = pd.Index(latents.column("sample_id"))
    results = []
    for name, part in found.groupby("query", sort=False):
        rows = ids.get_indexer([str(name), *part["sample_id"]])
        pictures = np.concatenate([_stored_query(str(name), rows[0], samples)[None], samples.take(rows[1:])])
        labels = ["" if row < 0 else str(latents.labels[row]) for row in rows]
        results.append(Line(samples.spec.as_input(pictures), labels, part["distance"].tolist()))
    return results


def _stored_query(name: str, row: int, samples: Samples) -> np.ndarray:
    """A query as it is stored: a sample, or an image file."""
    if row >= 0:
        return samples.take(np.array([row]))[0]
    from ae_pipelines.samples import new_image

    return new_image.as_stored(Path(name), samples.spec)


def neighbour_agreement(latents: Latents, k: int, seed: int = 0) -> float:
    """Mean share of the k nearest labelled train rows that have a test row's label, over at most 10,000 labelled test
    rows (from 100,000 train rows on fewer, at least 1,000); NaN where there are no labels in one of the splits."""
    train = np.flatnonzero(latents.labelled & latents.in_split("train"))
    test = _judged(latents, seed)
    if not (len(train) and len(test)):
        return math.nan
    _, rows = Index(latents.at(train), exact=True).nearest(latents.at(test), k)
    return float((latents.labels[train][rows] == latents.labels[test][:, None]).mean())


def _judged(latents: Latents, seed: int) -> np.ndarray:
    """Positions of the labelled test rows by which neighbours are judged, in random order."""
    train = (latents.labelled & latents.in_split("train")).sum()
    test = np.flatnonzero(latents.labelled & latents.in_split("test"))
    return np.random.default_rng(seed).permutation(test)[: np.clip(JUDGED_PAIRS // max(train, 1), *JUDGED_ROWS)]


def search_metrics(latents: Latents, options: SearchOptions) -> dict[str, float]:
    """`same_class`: `neighbour_agreement`, where there are labels, with the number of `test_rows` and the bounds of its
    95 % interval; `recall`: the share of true neighbours that an approximate index finds, where one is used."""
    agreement, metrics = neighbour_agreement(latents, options.k, options.seed), dict[str, float]()
    if not math.isnan(agreement):
        rows = len(_judged(latents, options.seed))
        bounds = intervals.bounds("same_class", intervals.proportion(agreement, rows))
        metrics = {"same_class": agreement, **bounds, "test_rows": float(rows)}
    if _is_exact(len(latents), _query_count(options), options):
        return metrics
    return metrics | {"recall": recall(latents, options)}


def recall(latents: Latents, options: SearchOptions) -> float:
    """The share of the `options.k` nearest vectors that an approximate index finds, over 1,000 random queries."""
    drawn = np.random.default_rng(options.seed).permutation(len(latents))[:RECALL_ROWS]
    wanted = latents.at(drawn)
    _, found = Index(latents.vectors, exact=False).nearest(wanted, options.k)
    _, true = Index(latents.vectors, exact=True).nearest(wanted, options.k)
    return float(np.mean([np.isin(mine, theirs).mean() for mine, theirs in zip(true, found, strict=True)]))


def _query_count(options: SearchOptions) -> int:
    """Number of queries that there will be."""
    return len(options.ids) + (options.image is not None) or options.random


def _is_exact(rows: int, wanted: int, options: SearchOptions) -> bool:
    return options.exact if options.exact is not None else rows <= EXACT_ROWS or wanted <= MANY_QUERIES


def _without_own(rows: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    """Which of the positions (n, k + 1) are neighbours: at most k, not the query's own, nor -1, which an approximate
    index gives where it finds no more."""
    others = (rows != own[:, None]) & (rows >= 0)
    return others & (others.cumsum(axis=1) <= k)


def _random_rows(latents: Latents, options: SearchOptions) -> np.ndarray:
    test = np.flatnonzero(latents.in_split("test"))
    if not len(test):
        raise InputError("there are no test samples to look for: give search.ids=[...] or search.image=<path>")
    return np.random.default_rng(options.seed).permutation(test)[: options.random]


def _refuse_unknown(wanted: Sequence[str], ids: pd.Index) -> None:
    unknown = [name for name in wanted if name not in ids]
    if unknown:
        raise InputError(
            f"search.ids: no sample is called {first_of(unknown)}; there are {len(ids)}, such as "
            f"{', '.join(ids[:KNOWN_IDS])}"
        )


def _refuse_too_few(rows: int, k: int) -> None:
    if k >= rows:
        raise InputError(f"{rows} samples do not have {k} neighbours each: give search.k below {rows}")
