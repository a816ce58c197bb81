"""Which samples are alike: nearest neighbours among latents."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.approximate import ApproximateIndex, share
from ae_pipelines.downstream.nearest import nearest_of_pieces, rows_of
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

JUDGED_ROWS = (1_000, 10_000)
"""Least and most test rows whose neighbours are judged; the more train rows to compare with, the fewer."""
JUDGED_PAIRS = 10**9
"""Most comparisons, a few seconds' worth, unless even the least number of test rows needs more."""
RECALL_ROWS = 1_000
"""Number of queries for which an approximate index is compared with an exact one."""
EXACT_PAIRS = 2 * 10**10
"""Most comparisons, half a minute's worth, that an exact search makes unasked; an approximate index of ten million
takes longer to build."""
ABOUT = ("test_rows",)
"""Metrics that say what was judged; the same for all latents of the same samples."""
KNOWN_IDS = 5
"""Number of known ids listed where an id is unknown."""
ALL = ("all",)
"""What is given for `ids` to find the neighbours of every sample."""


class SearchOptions(Options):
    """What to look for, and how much of it."""

    ids: tuple[str, ...] = ()
    """Samples to find the neighbours of, by `sample_id`; `all`: of every sample."""
    image: Path | None = None
    """A new image file to find the neighbours of."""
    random: Annotated[int, Field(gt=0)] = 6
    """Number of test samples to find the neighbours of where neither `ids` nor an `image` is given."""
    k: Annotated[int, Field(gt=0)] = 9
    """Number of neighbours of each."""
    exact: bool | None = None
    """false: by an approximate index (IVF-PQ). None: approximate where that pays, when queries times latents are more
    than 20,000,000,000."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if an id is unknown, the image cannot be compared, or there are too few neighbours."""
        _refuse_too_few(len(samples), self.k)
        if self.ids and not self.every:
            rows = samples.rows_of(self.ids)
            first = next(samples.index_batches("sample_id")).column(0)[:KNOWN_IDS].to_pylist()
            _refuse_unknown(self.ids, rows, len(samples), first)
        if self.image is not None:
            from ae_pipelines.samples import new_image  # imports Pillow

            new_image.as_stored(self.image, samples.spec)

    @property
    def every(self) -> bool:
        """Whether the neighbours of every sample are looked for."""
        return self.ids == ALL


@dataclass(frozen=True)
class Queries:
    """The samples or images whose neighbours are looked for."""

    names: list[str]
    """Sample ids, or the path of an image."""
    vectors: np.ndarray
    """(n, d), float32."""
    rows: np.ndarray
    """Position of each among the latents; -1 for an image, which is not among them."""


def queries(latents: Latents, options: SearchOptions, encode: Callable[[Path], np.ndarray]) -> Iterable[Queries]:
    """The queries asked for, some at a time; `encode` gives the latent (1, d) of an image file. `InputError` if an id
    is unknown."""
    return _every(latents) if options.every else [_asked_for(latents, options, encode)]


def _every(latents: Latents) -> Iterator[Queries]:
    start = 0
    for piece in latents.pieces():
        rows = np.arange(start, start := start + len(piece))
        yield Queries(piece.column("sample_id").tolist(), piece.vectors, rows)


def _asked_for(latents: Latents, options: SearchOptions, encode: Callable[[Path], np.ndarray]) -> Queries:
    rows = latents.positions(options.ids)
    first = latents.ids_at(np.arange(min(KNOWN_IDS, len(latents))))
    _refuse_unknown(options.ids, rows, len(latents), first.tolist())
    if not options.ids and options.image is None:
        rows = _random_rows(latents, options)
    found = Queries(latents.ids_at(rows).tolist(), latents.at(rows), rows)
    if options.image is None:
        return found
    return Queries(
        [str(options.image), *found.names],
        np.concatenate([encode(options.image), found.vectors]),
        np.concatenate([[-1], found.rows]),
    )


def neighbours(latents: Latents, wanted: Iterable[Queries], options: SearchOptions) -> Iterator[pd.DataFrame]:
    """`options.k` rows per query, nearest first: `query`, `rank` from 1, `sample_id`, Euclidean `distance` and `label`
    (None where unknown); some queries at a time. A sample is not its own neighbour, but one with an equal latent is.
    `attrs` say how many `queries` there are, and `k`."""
    _refuse_too_few(len(latents), options.k)
    return _neighbours(latents, wanted, options)


def _neighbours(latents: Latents, wanted: Iterable[Queries], options: SearchOptions) -> Iterator[pd.DataFrame]:
    nearest = _search(latents, options.k + 1, options)
    for some in wanted:
        distances, rows = nearest(some.vectors)
        kept = _without_own(rows, some.rows, options.k)
        counts, places = kept.sum(axis=1), rows[kept]
        labels = latents.labels[places]
        table = pd.DataFrame(
            {
                "query": np.repeat(np.asarray(some.names, object), counts),
                "rank": np.cumsum(kept, axis=1, dtype=np.int32)[kept],
                "sample_id": latents.ids_at(places),
                "distance": distances[kept],
                "label": pd.Series(np.where(labels == "", None, labels), dtype="str"),
            }
        )
        table.attrs = {"queries": len(latents) if options.every else len(set(some.names)), "k": options.k}
        yield table


def _search(latents: Latents, count: int, options: SearchOptions) -> Callable[[np.ndarray], Any]:
    """What finds the `count` nearest of queries (n, d): distances and rows (n, count)."""
    if _is_exact(latents, options):
        return lambda wanted: nearest_of_pieces(latents.vectors_in_pieces(), wanted, count)
    return ApproximateIndex(latents, count, options.seed).nearest


@dataclass(frozen=True)
class Line:
    """A query and its neighbours, to be drawn."""

    pictures: np.ndarray
    """(1 + k, *shape), as the model gets them; the query first."""
    labels: list[str]
    """Label of each picture; empty where unknown."""
    distances: list[float]
    """Distances of the neighbours."""


def lines(found: Table, latents: Latents, samples: Samples, most: int) -> list[Line]:
    """A line for each of the first `most` queries."""
    first = found.take(np.arange(min(len(found), most * found.attrs["k"])))
    parts = list(first.groupby("query", sort=False))[:most]
    ids = list(dict.fromkeys(first[["query", "sample_id"]].to_numpy().ravel()))
    places = pd.Series(latents.positions(ids), ids)
    results = []
    for name, part in parts:
        rows = places[[str(name), *part["sample_id"]]].to_numpy()
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
    _, rows = nearest_of_pieces(rows_of(latents.vectors_in_pieces(), train), latents.at(test), k)
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
    if _is_exact(latents, options):
        return metrics
    return metrics | {"recall": recall(latents, options)}


def recall(latents: Latents, options: SearchOptions) -> float:
    """The share of the `options.k` nearest vectors that an approximate index finds, over 1,000 random queries."""
    draw = np.random.default_rng((options.seed, 1))  # other ones than those that the index was tried with
    wanted = latents.at(draw.choice(len(latents), min(len(latents), RECALL_ROWS), replace=False))
    _, found = ApproximateIndex(latents, options.k, options.seed).nearest(wanted)
    _, true = nearest_of_pieces(latents.vectors_in_pieces(), wanted, options.k)
    return share(true, found)


def _query_count(latents: Latents, options: SearchOptions) -> int:
    """Number of queries that there will be."""
    if options.every:
        return len(latents)
    return len(options.ids) + (options.image is not None) or options.random


def _is_exact(latents: Latents, options: SearchOptions) -> bool:
    return options.exact if options.exact is not None else len(latents) * _query_count(latents, options) <= EXACT_PAIRS


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


def _refuse_unknown(wanted: tuple[str, ...], rows: np.ndarray, count: int, some: list[str]) -> None:
    unknown = [name for name, row in zip(wanted, rows, strict=True) if row < 0]
    if unknown:
        raise InputError(
            f"search.ids: no sample is called {first_of(unknown)}; there are {count}, such as {', '.join(some)}"
        )


def _refuse_too_few(rows: int, k: int) -> None:
    if k >= rows:
        raise InputError(f"{rows} samples do not have {k} neighbours each: give search.k below {rows}")
