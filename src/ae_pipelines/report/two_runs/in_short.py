"""The comparison in a few sentences."""

from collections.abc import Iterator

from ae_pipelines.base.errors import first_of
from ae_pipelines.report.two_runs.changes import Changes
from ae_pipelines.report.two_runs.matching import Matched
from ae_pipelines.report.two_runs.measures import Measure
from ae_pipelines.report.two_runs.side import Side

NAMED = 5
"""Ids that are named where there are more."""


def sentences(measures: dict[str, list[Measure]], changes: Changes | None) -> list[str]:
    """What differs, the most important first."""
    return [*_beyond_chance(measures), *(_changed(changes) if changes is not None else [])]


def _beyond_chance(measures: dict[str, list[Measure]]) -> Iterator[str]:
    rows = [(title, row) for title, rows in measures.items() for row in rows]
    told = {"better": "better", "worse": "worse", "other": "other"}
    for verdict, word in told.items():
        found = [f"{title.lower()}: {row.words} ({row.difference})" for title, row in rows if row.verdict == verdict]
        if found:
            yield f"Beyond chance {word} in this run: {'; '.join(found)}."
    if not any(row.verdict in told for _, row in rows):
        yield "No measure that has an interval differs by more than chance allows."


def _changed(changes: Changes) -> Iterator[str]:
    parts = []
    if changes.groups is not None:
        parts.append(f"{int((changes.groups[0] != changes.groups[1]).sum()):,} are in another group")
    if changes.classes is not None:
        parts.append(f"{int((changes.classes[0] != changes.classes[1]).sum()):,} have another predicted label")
    if changes.anomalies is not None:
        ours, theirs = changes.anomalies
        parts.append(f"{int((ours & ~theirs).sum()):,} became odd and {int((theirs & ~ours).sum()):,} no longer are")
    if parts:
        yield f"Of {len(changes.matched):,} samples that are in both runs {', '.join(parts)}."


def only_in_one(matched: Matched) -> list[str]:
    """Samples that cannot be compared, a sentence for each kind."""
    kinds = (
        (matched.only_here, "only in this run"),
        (matched.only_there, "only in the other run, and not on these maps"),
        (matched.changed, "in both under the same id, but with other content, so they are not compared"),
    )
    return [f"{len(ids):,} samples are {what}: {first_of([str(one) for one in ids], NAMED)}." for ids, what in kinds if len(ids)]


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
