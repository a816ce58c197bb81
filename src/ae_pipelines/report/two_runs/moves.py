"""Sections of the page: samples of another group or class than in the other run, and those odd in one of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.latents.labels import Labels
from ae_pipelines.report.shown.galleries import gallery, opener
from ae_pipelines.report.shown.words import percent
from ae_pipelines.report.two_runs.changes import BOTH, HERE, THERE, Changes, where_odd
from ae_pipelines.report.two_runs.matching import NOISE

SHOWN = 12
"""Most samples in a gallery; a button opens all that are on the maps."""
MOST_MOVES = 8
"""Only so many of the most frequent moves have a gallery."""


@dataclass(frozen=True)
class Move:
    """Samples with one value here and another there."""

    title: str
    note: str
    count: int
    gallery: Markup
    button: Markup
    rows: np.ndarray
    """Rows in this run of those in the gallery."""


@dataclass(frozen=True)
class Pair:
    """Groups that go together, each by its own number; empty where there is none."""

    here: str
    there: str
    size_here: int
    size_there: int
    shared: int


@dataclass(frozen=True)
class Change:
    """A section of the page."""

    name: str
    title: str
    sentences: list[str]
    moves: list[Move]
    rest: str = ""
    pairs: list[Pair] = field(default_factory=list)

    @property
    def rows(self) -> np.ndarray:
        return np.unique(np.concatenate([np.empty(0, np.int64), *(move.rows for move in self.moves)]))


def sections(changes: Changes) -> list[Change]:
    """What is known of both runs, in the order of the page."""
    return [*_groups(changes), *_classes(changes), *_odd(changes)]


# -- groups ------------------------------------------------------------------------------------------------------------


def _groups(changes: Changes) -> Iterator[Change]:
    if changes.groups is None:
        return
    ours, theirs = changes.groups
    moved = ours != theirs
    sentences = [
        f"{_share(moved)} changed group. Groups have no names: those that share most samples go together, one to one, "
        "and stand under this run's numbers. Arrows go from the other run to this one; captions are labels."
    ]
    if alone := changes.unmatched:
        sentences.append(f"With no group of this run go the other run's groups {_listed(alone.values())}.")
    if unmet := {*ours[ours >= 0].tolist()} - {*theirs.tolist()}:
        sentences.append(f"With no group of the other run go this run's groups {_listed(unmet)}.")
    moves = []
    for there, here, order in _kinds(moved, ours, theirs):
        of_map = {"group": "" if here == NOISE else str(here), "other_group": changes.group_name(there)}
        title = f"group {changes.group_name(there)} → {changes.group_name(here)}"
        moves.append(_move(changes, title, order, of_map))
    yield Change("groups", "Changed group", sentences, moves, _rest(moved, moves), list(_pairs(changes, ours, theirs)))


def _pairs(changes: Changes, ours: np.ndarray, theirs: np.ndarray) -> Iterator[Pair]:
    """Groups that go together, then those of the other run that go with none."""
    own_numbers = {number: group for group, number in changes.goes_with.items()}
    for group in sorted({*ours.tolist(), *theirs.tolist()}, key=lambda one: (one < NOISE, abs(one))):
        in_here, in_there = ours == group, theirs == group
        own = "noise" if group == NOISE else str(own_numbers.get(group))
        yield Pair(
            changes.group_name(group) if in_here.any() else "",
            own if in_there.any() else "",
            *(int(found.sum()) for found in (in_here, in_there, in_here & in_there)),
        )


# -- classes -----------------------------------------------------------------------------------------------------------


def _classes(changes: Changes) -> Iterator[Change]:
    if changes.classes is None:
        return
    ours, theirs = changes.classes
    changed = ours.codes != theirs.codes
    sentences = [f"{_share(changed)} changed their predicted label.", *_right_and_wrong(changes, ours, theirs)]
    moves = [
        _move(changes, f"label {there} → {here}", order, {"predicted": here, "other_predicted": there})
        for there, here, order in _kinds(changed, ours.codes, theirs.codes, ours.names)
    ]
    yield Change("classes", "Changed class", sentences, moves, _rest(changed, moves))


def _right_and_wrong(changes: Changes, ours: Labels, theirs: Labels) -> Iterator[str]:
    """How the classifiers compare on the same labelled test samples: only those count that one of them has right
    (McNemar 1947, exact)."""
    from scipy.stats import binomtest

    in_test = changes.here.latents.in_split("test")[changes.matched.here]
    judged = in_test & changes.there.latents.in_split("test")[changes.matched.there] & changes.labels.known
    if not judged.any():
        return
    truth = changes.labels.by(ours.names).codes[judged]
    right, other_right = (side.codes[judged] == truth for side in (ours, theirs))
    gained, lost = int((right & ~other_right).sum()), int((other_right & ~right).sum())
    text = (
        f"Of {int(judged.sum()):,} labelled samples in the test splits of both, {gained:,} are right only here and "
        f"{lost:,} only there"
    )
    if gained + lost:
        chance = binomtest(gained, gained + lost).pvalue
        told = "under 0.1 %" if chance < 0.001 else f"{100 * chance:.2g} %"
        text += f"; were both equally good, so uneven a count would come in {told} of all cases (McNemar)"
    yield f"{text}."


# -- anomalies ---------------------------------------------------------------------------------------------------------


def _odd(changes: Changes) -> Iterator[Change]:
    if changes.anomalies is None:
        return
    where = where_odd(*changes.anomalies)
    counts = {name: int((where == name).sum()) for name in (HERE, THERE, BOTH)}
    sentence = (
        f"{counts[HERE]:,} became odd, which they are only in this run, {counts[THERE]:,} no longer are, and "
        f"{counts[BOTH]:,} are odd in both. Captions: the score as a multiple of the threshold, "
        "here / in the other run."
    )
    ours, theirs = (_multiples(changes, side) for side in ("here", "there"))
    moves = []
    for name, title in ((HERE, "Became odd"), (THERE, "No longer odd"), (BOTH, "Odd in both runs")):
        order = np.flatnonzero(where == name)
        order = order[np.argsort(-np.maximum(ours, theirs)[order], kind="stable")]
        captions = [f"{ours[one]:.2g} / {theirs[one]:.2g}" for one in order[:SHOWN]]
        moves += [_move(changes, title, order, {"odd": name}, captions)] if len(order) else []
    yield Change("odd", "Became odd", [sentence], moves)


def _multiples(changes: Changes, side: str) -> np.ndarray:
    results, rows = getattr(changes, side), getattr(changes.matched, side)
    threshold = float(results.anomaly_model.threshold) or 1.0
    return results.anomalies["score"].to_numpy(float)[rows] / threshold


# -- what they share ---------------------------------------------------------------------------------------------------


def _kinds(
    changed: np.ndarray, ours: np.ndarray, theirs: np.ndarray, names: np.ndarray | None = None
) -> list[tuple[Any, Any, np.ndarray]]:
    """The most frequent changes: from what, to what, by name where numbers have some, and places among the samples of
    both."""
    rows = np.flatnonzero(changed)
    table = pd.DataFrame({"theirs": theirs[rows], "ours": ours[rows]}, index=rows)
    found = []
    for pair, places in table.groupby(["theirs", "ours"]).groups.items():
        there, here = pair if names is None else names[list(pair)].tolist()  # type: ignore[misc, call-overload]
        found.append((there, here, np.asarray(places)))
    return sorted(found, key=lambda kind: (-len(kind[2]), str(kind[:2])))[:MOST_MOVES]


def _move(
    changes: Changes, title: str, order: np.ndarray, where: Mapping[str, str], captions: list[str] | None = None
) -> Move:
    """Samples at these places; `where` says what they have in common as fields of the map."""
    rows, labels = changes.matched.here[order[:SHOWN]], changes.labels[order[:SHOWN]]
    shown = gallery(rows, labels.tolist() if captions is None else captions, title)
    return Move(
        title, _by_label(changes.labels.counts(order)), len(order), shown, opener(where, title, "on the maps"), rows
    )


def _by_label(counts: pd.Series) -> str:
    """Which labels samples have, the commonest first."""
    commonest = counts.sort_values(ascending=False, kind="stable").head(3)
    told = [f"{count:,} × “{label}”" for label, count in commonest.items()]
    return f"{', '.join(told)}{' and others' if len(counts) > 3 else ''}"


def _share(changed: np.ndarray) -> str:
    return (
        f"{int(changed.sum()):,} of {len(changed):,} samples that are in both runs ({percent(float(changed.mean()))})"
    )


def _rest(changed: np.ndarray, moves: list[Move]) -> str:
    left = int(changed.sum()) - sum(move.count for move in moves)
    return f"{left:,} more changed in ways that fewer samples share." if left else ""


def _listed(numbers: Any) -> str:
    return ", ".join(str(one) for one in sorted(numbers))
