"""The comparison in a few sentences."""

from collections.abc import Iterator

import numpy as np

from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.changes import Changes
from ae_pipelines.report.two_runs.measures import Measure
from ae_pipelines.report.two_runs.side import Side

BEYOND = {"better": "better", "worse": "worse", "other": "different"}
"""Verdicts that are more than chance, in words."""
NAMED = 5
"""Ids that are named where there are more."""


def sentences(measures: dict[str, list[Measure]], changes: Changes | None) -> list[str]:
    """What differs, the most important first."""
    return [*_beyond_chance(measures), *(_changed(changes) if changes is not None else [])]


def _beyond_chance(measures: dict[str, list[Measure]]) -> Iterator[str]:
    """Of each stage the first measure that differs by more than chance, and how many there are."""
    certain = sum(row.verdict != "" for rows in measures.values() for row in rows)
    beyond = False
    for verdict, word in BEYOND.items():
        found = [rows for all_rows in measures.values() if (rows := _with(verdict, all_rows))]
        if found:
            beyond, count = True, sum(map(len, found))
            firsts = "; ".join(_told(rows[0]) for rows in found)
            more = " and others" if count > len(found) else ""
            are = "is" if count == 1 else "are"
            of_all = f"{count} of {certain} measures with an interval"
            yield f"By more than chance {of_all} {are} {word} here: {firsts}{more}."
    if certain and not beyond:
        yield f"None of {certain} measures with an interval differs by more than chance."


def _told(row: Measure) -> str:
    return f"{row.words} ({row.difference}{row.unit})"


def _with(verdict: str, rows: list[Measure]) -> list[Measure]:
    return [row for row in rows if row.verdict == verdict]


def _changed(changes: Changes) -> Iterator[str]:
    parts = []
    if changes.groups is not None:
        parts.append(f"{int((changes.groups[0] != changes.groups[1]).sum()):,} are in another group")
    if changes.classes is not None:
        parts.append(
            f"{int((changes.classes[0].codes != changes.classes[1].codes).sum()):,} have another predicted label"
        )
    if changes.anomalies is not None:
        ours, theirs = changes.anomalies
        parts.append(f"{int((ours & ~theirs).sum()):,} became odd and {int((theirs & ~ours).sum()):,} no longer are")
    if parts:
        yield f"Of {len(changes.matched):,} samples that are in both runs {', '.join(parts)}."


def only_in_one(changes: Changes) -> list[str]:
    """Samples that cannot be compared, a sentence for each kind."""
    here, there, matched = changes.here, changes.there, changes.matched
    kinds = (
        (here, matched.only_here, "only in this run"),
        (there, matched.only_there, "only in the other run, and not on these maps"),
        (here, matched.changed, "in both under the same id, but with other content, so they are not compared"),
    )
    return [
        f"{len(rows):,} samples are {what}: {_first_of(results, rows)}." for results, rows, what in kinds if len(rows)
    ]


def _first_of(results: Results, rows: np.ndarray) -> str:
    """The first ids, and how many more there are."""
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return ", ".join(map(str, results.ids(rows[:NAMED]))) + more


def not_shown(here: Side, there: Side) -> list[str]:
    """What is not there to be compared, and why."""
    notes = [*(f"This run: {note}." for note in here.notes), *(f"The other run: {note}." for note in there.notes)]
    if there.results is None:
        notes.insert(
            0,
            "Of the other run only what MLflow has on record is left, since the folder it worked in is gone or holds "
            "another encoder now: its measures and parameters are compared, samples, groups and maps are not.",
        )
    return notes
