"""What was read, what was left out and why, and which classes there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown import charts
from ae_pipelines.report.shown.words import percent
from ae_pipelines.samples.store import Samples

MOST_CLASSES, MOST_REASONS, MOST_COLUMNS, MOST_CONFLICTS = 50, 30, 200, 20
EXAMPLES = 5
"""Ids that are shown for a reason."""


@dataclass(frozen=True)
class Class:
    """How many samples a class has."""

    name: str
    train: int
    test: int
    share: str
    bar: Markup


@dataclass(frozen=True)
class Reason:
    """Why some samples were left out."""

    why: str
    count: int
    examples: list[str]
    more: int


def section(results: Results) -> Section:
    """Always there: something was ingested."""
    classes = _classes(results.samples)
    html = render(
        "ingest",
        sentences=list(_sentences(results, len(classes))),
        classes=classes[:MOST_CLASSES],
        more_classes=max(0, len(classes) - MOST_CLASSES),
        reasons=_reasons(results.rejects),
        conflicts=_conflicts(results.conflicts),
        columns=_columns(results.columns),
    )
    return Section("ingest", "What was ingested", html)


def _sentences(results: Results, classes: int) -> Iterator[str]:
    manifest, latents = results.samples.manifest, results.latents
    text = f"{manifest.read:,} read: {manifest.accepted:,} accepted and {manifest.rejected:,} left out"
    if manifest.duplicates:
        text += f", of which {manifest.duplicates:,} have the same content as another"
    yield f"{text}."
    shape = " × ".join(map(str, manifest.spec.shape))
    splits = [f"{int(latents.in_split(split).sum()):,} {split}" for split in ("train", "test")]
    yield f"Each sample is {shape} numbers ({manifest.spec.dtype}). Splits: {' and '.join(splits)}."
    labelled = int(latents.labelled.sum())
    if not labelled:
        yield "No sample has a label."
    else:
        share = percent(labelled / len(latents))
        yield f"{labelled:,} samples ({share}) have a label, of {classes:,} class{'' if classes == 1 else 'es'}."
    if results.rejects is None and manifest.rejected:
        yield "The list of what was left out is not there: run ingest again."


def _classes(samples: Samples) -> list[Class]:
    """The largest first."""
    counts = samples.label_counts()
    if not len(counts):
        return []
    table = counts.unstack("split", fill_value=0)
    table = table.reindex(columns=["train", "test"], fill_value=0)
    found = [(str(name), int(row["train"]), int(row["test"])) for name, row in table.iterrows()]
    total, largest = int(counts.sum()), max(train + test for _, train, test in found)
    return [
        Class(name, train, test, percent((train + test) / total), charts.bar((train + test) / largest))
        for name, train, test in sorted(found, key=lambda one: -one[1] - one[2])
    ]


def _reasons(rejects: pd.DataFrame | None) -> list[Reason]:
    """The commonest first."""
    if rejects is None or not len(rejects):
        return []
    counts = rejects["reason"].value_counts()
    return [
        Reason(
            str(why),
            int(count),
            [str(name) for name in rejects.loc[rejects["reason"] == why, "sample_id"].head(EXAMPLES)],
            max(0, int(count) - EXAMPLES),
        )
        for why, count in counts.head(MOST_REASONS).items()
    ]


def _conflicts(conflicts: pd.DataFrame | None) -> dict[str, Any]:
    """Contents with more than one label: how many, and the first of them with their ids and labels."""
    if conflicts is None or not len(conflicts):
        return {}
    groups = conflicts.groupby("sha256", sort=False)
    first = [
        [(str(row["sample_id"]), str(row["label"])) for _, row in rows.iterrows()]
        for _, rows in list(groups)[:MOST_CONFLICTS]
    ]
    return {"count": groups.ngroups, "first": first}


def _columns(columns: pd.DataFrame | None) -> list[dict[str, str]]:
    """What became of each column of a table."""
    if columns is None:
        return []
    return [
        {
            "column": str(row["column"]),
            "type": str(row["type"]),
            "treatment": str(row["treatment"]),
            "missing": "" if pd.isna(row["missing"]) else percent(float(row["missing"])),
            "features": f"{int(row['features']):,}",
        }
        for _, row in columns.head(MOST_COLUMNS).iterrows()
    ]
