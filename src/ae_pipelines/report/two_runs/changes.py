"""Which samples of both runs are in another group, of another class, or odd in one of them only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.fields import Field, category, number
from ae_pipelines.report.galleries import gallery, opener
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.matching import NOISE, UNMATCHED, Matched, matched_groups
from ae_pipelines.report.words import percent

SHOWN = 12
"""Most samples in a gallery; a button opens all that are on the maps."""
MOST_MOVES = 8
"""Only so many of the most frequent moves have a gallery."""
NO, HERE, THERE, BOTH = "in neither", "only in this run", "only in the other run", "in both runs"


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
    """Groups that go together, each with its own number and size; empty where there is none."""

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


@dataclass
class Changes:
    """What is compared sample by sample; a part is None where one of the runs does not have it."""

    here: Results
    there: Results
    matched: Matched

    def sections(self) -> list[Change]:
        """What is known of both runs, in the order of the page."""
        found = (groups(self), classes(self), odd(self))
        return [change for change in found if change is not None]

    # -- one value for each sample of both, in their order -----------------------------------------------------

    @cached_property
    def goes_with(self) -> dict[int, int]:
        """The group of this run that each group of the other run goes with, or a number for it alone."""
        return matched_groups(*self._pair("clusters", "cluster"))

    @cached_property
    def unmatched(self) -> dict[int, int]:
        """The other run's own number of each group that goes with none here."""
        return {number: group for group, number in self.goes_with.items() if number <= UNMATCHED}

    @cached_property
    def groups(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Groups of both under this run's numbers."""
        if self.here.clusters is None or self.there.clusters is None:
            return None
        ours, theirs = self._pair("clusters", "cluster")
        return ours, pd.Series(theirs).map(self.goes_with).to_numpy()

    @cached_property
    def classes(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Predicted labels of both."""
        if self.here.predictions is None or self.there.predictions is None:
            return None
        return self._pair("predictions", "predicted")

    @cached_property
    def anomalies(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Whether a sample is odd in each."""
        if self.here.anomalies is None or self.there.anomalies is None:
            return None
        return self._pair("anomalies", "anomaly")

    def _pair(self, table: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = (getattr(side, table)[column].to_numpy() for side in (self.here, self.there))
        return ours[self.matched.here], theirs[self.matched.there]

    def group_name(self, group: int) -> str:
        """A group under this run's number."""
        if group == NOISE:
            return "noise"
        if group <= UNMATCHED:
            return f"{self.unmatched[group]} (only there)"
        return str(group)

    # -- as fields of the map ----------------------------------------------------------------------------------

    def fields(self, rows: np.ndarray) -> Iterator[Field]:
        """What differs, for the samples in these rows of this run."""
        place = pd.Index(self.matched.here).get_indexer(rows)
        if self.groups is not None:
            ours, theirs = (np.array([self.group_name(one) for one in side], object) for side in self.groups)
            yield category("other_group", "Group in the other run", _at(theirs, place), hover=True)
            yield category("moved", "Group changed", _at(_yes(ours != theirs), place))
        if self.classes is not None:
            yield category(
                "other_predicted", "Predicted label in the other run", _at(self.classes[1], place), hover=True
            )
            yield category("reclassified", "Predicted label changed", _at(_yes(np.not_equal(*self.classes)), place))
        if self.anomalies is not None:
            yield category("odd", "Odd", _at(_where_odd(*self.anomalies), place))
        if "reconstruction_error" in self.here.latents.names and "reconstruction_error" in self.there.latents.names:
            errors = self.there.latents.column("reconstruction_error").to_numpy(np.float64)[self.matched.there]
            yield number("other_error", "Reconstruction error in the other run", _at(errors, place, np.nan), hover=True)


def _at(values: np.ndarray, place: np.ndarray, missing: Any = "") -> np.ndarray:
    """Values of samples of both, for places among these, -1 where a sample is in one run only."""
    return np.where(place >= 0, values[place], missing)


def _yes(changed: np.ndarray) -> np.ndarray:
    return np.where(changed, "yes", "no").astype(object)


def _where_odd(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.array([NO, HERE, THERE, BOTH], object)[ours.astype(int) + 2 * theirs.astype(int)]


def groups(changes: Changes) -> Change | None:
    """Samples whose groups do not go together."""
    if changes.groups is None:
        return None
    ours, theirs = changes.groups
    moved = ours != theirs
    sentences = [
        f"{_share(moved)} changed group. Groups have no names: those that share most samples go together, one to one, "
        "and stand under this run's numbers. Arrows go from the other run to this one; captions are labels."
    ]
    if alone := changes.unmatched:
        sentences.append(f"With no group of this run go the other run's groups {_listed(alone.values())}.")
    if unmet := sorted({*ours[ours >= 0].tolist()} - {*theirs.tolist()}):
        sentences.append(f"With no group of the other run go this run's groups {_listed(unmet)}.")
    moves = list(_moves(changes, moved, ours, theirs, changes.group_name, ("group", "other_group"), "group"))
    return Change("groups", "Changed group", sentences, moves, _rest(moved, moves), list(_pairs(changes)))


def _pairs(changes: Changes) -> Iterator[Pair]:
    """Which groups go together, by this run's numbers."""
    ours, theirs = changes.groups or (np.empty(0, int), np.empty(0, int))
    own_numbers = {number: group for group, number in changes.goes_with.items()}
    for group in sorted({*ours.tolist(), *theirs.tolist()}, key=lambda one: (one < NOISE, abs(one))):
        in_here, in_there = ours == group, theirs == group
        yield Pair(
            changes.group_name(group) if in_here.any() else "",
            ("noise" if group == NOISE else str(own_numbers[group])) if in_there.any() else "",
            int(in_here.sum()),
            int(in_there.sum()),
            int((in_here & in_there).sum()),
        )


def classes(changes: Changes) -> Change | None:
    """Samples of which both classifiers say something else."""
    if changes.classes is None:
        return None
    ours, theirs = changes.classes
    changed = ours != theirs
    sentences = [f"{_share(changed)} changed their predicted label.", *_right_and_wrong(changes, ours, theirs)]
    moves = list(_moves(changes, changed, ours, theirs, str, ("predicted", "other_predicted"), "label"))
    return Change("classes", "Changed class", sentences, moves, _rest(changed, moves))


def _right_and_wrong(changes: Changes, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """How the classifiers compare on the same labelled test samples: only those count that one of them has right
    (McNemar 1947, exact)."""
    from scipy.stats import binomtest

    rows, other_rows = changes.matched.here, changes.matched.there
    labels = changes.here.latents.labels[rows]
    judged = changes.here.latents.in_split("test")[rows] & changes.there.latents.in_split("test")[other_rows]
    judged &= labels != ""
    if not judged.any():
        return
    right, other_right = (ours == labels)[judged], (theirs == labels)[judged]
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


def odd(changes: Changes) -> Change | None:
    """Samples above the threshold of one run only."""
    if changes.anomalies is None:
        return None
    where = _where_odd(*changes.anomalies)
    counts = {name: int((where == name).sum()) for name in (HERE, THERE, BOTH)}
    sentence = (
        f"{counts[HERE]:,} became odd, which they are only in this run, {counts[THERE]:,} no longer are, and "
        f"{counts[BOTH]:,} are odd in both. Captions: the score as a multiple of the threshold, "
        "here / in the other run."
    )
    ours, theirs = (_multiples(changes, side) for side in ("here", "there"))
    titles = {HERE: "Became odd", THERE: "No longer odd", BOTH: "Odd in both runs"}
    moves = []
    for name, title in titles.items():
        order = np.flatnonzero(where == name)
        order = order[np.argsort(-np.maximum(ours, theirs)[order], kind="stable")]
        if len(order):
            captions = [f"{ours[one]:.2g} / {theirs[one]:.2g}" for one in order[:SHOWN]]
            moves.append(_move(changes, title, "", order, captions, {"odd": name}))
    return Change("odd", "Became odd", [sentence], moves)


def _multiples(changes: Changes, side: str) -> np.ndarray:
    results, rows = getattr(changes, side), getattr(changes.matched, side)
    threshold = float(results.anomaly_model.threshold) or 1.0
    return results.anomalies["score"].to_numpy(float)[rows] / threshold


def _moves(
    changes: Changes,
    changed: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    name: Any,
    names: tuple[str, str],
    noun: str,
) -> Iterator[Move]:
    """The most frequent moves first, each with its samples."""
    table = pd.DataFrame({"ours": ours, "theirs": theirs})[changed]
    kinds = table.groupby(["theirs", "ours"], observed=True).groups
    labels = changes.here.latents.labels[changes.matched.here]
    for (there, here), places in sorted(kinds.items(), key=lambda kind: (-len(kind[1]), str(kind[0])))[:MOST_MOVES]:
        title = f"{noun} {name(there)} → {name(here)}"
        where = {names[0]: _value(name(here)), names[1]: name(there)}
        order = np.asarray(places)
        yield _move(changes, title, _by_label(labels[order]), order, labels[order[:SHOWN]].tolist(), where)


def _value(name: str) -> str:
    return "" if name == "noise" else name  # as this run's own field has it


def _move(
    changes: Changes, title: str, note: str, order: np.ndarray, captions: list[str], where: dict[str, str]
) -> Move:
    rows = changes.matched.here[order[:SHOWN]]
    return Move(title, note, len(order), gallery(rows, captions, title), opener(where, title, "on the maps"), rows)


def _by_label(labels: np.ndarray) -> str:
    """Which labels these samples have, the commonest first."""
    counts = pd.Series(labels[labels != ""]).value_counts()
    told = [f"{count:,} × “{label}”" for label, count in counts.head(3).items()]
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
