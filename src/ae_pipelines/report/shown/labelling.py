"""What to label next, with a field for each label; the page saves them as a table that `ingest.labels` reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.page_data.table_columns import are_tables
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.shown import table_values
from ae_pipelines.report.shown.galleries import gallery

MOST, OPEN = 100, 24
"""How many are proposed, and how many of these are not folded away."""
MOST_KNOWN = 500
"""Classes that a field proposes, the commonest first."""
COLUMNS = 12
"""Of a table, as many are shown of a row."""
FEW = 20
"""Without a classifier, about so many samples a time are proposed."""


@dataclass(frozen=True)
class ToLabel:
    """A sample whose label would teach much."""

    row: int
    id: str
    why: str


def to_label(results: Results) -> list[ToLabel]:
    """Those that the classifier learns most from; where there is none, the most typical ones of each group."""
    if results.to_label is not None:
        table = results.to_label.head(MOST)
        ids = results.ids
        rows = pd.Index(ids).get_indexer(table["sample_id"])
        whys = [f"{guess}?" for guess in table["predicted"]]
        return [ToLabel(int(row), str(ids[row]), why) for row, why in zip(rows, whys, strict=True) if row >= 0]
    return _typical(results) if results.predictions is None else []


def _typical(results: Results) -> list[ToLabel]:
    """Samples without a label that lie nearest to the centre of their group, of each group and split in turn: a
    classifier is judged by labels of test samples too."""
    clusters = results.clusters
    if clusters is None or not (clusters["cluster"] >= 0).any():
        return []
    table = clusters.assign(row=np.arange(len(clusters)), split=results.latents.column("split").to_numpy(object))
    table = table[(table["cluster"] >= 0) & ~results.latents.labelled].sort_values("distance", kind="stable")
    groups = max(1, table["cluster"].nunique())
    each = max(1, FEW // groups)
    turn = table.groupby(["cluster", "split"]).cumcount()
    picked = table[turn < each].assign(turn=turn).sort_values(["turn", "cluster", "split"])
    found, ids = zip(picked["row"].head(MOST), picked["cluster"].head(MOST), strict=True), results.ids
    return [ToLabel(int(row), str(ids[row]), f"group {group}") for row, group in found]


def _cells(results: Results, samples: list[ToLabel]) -> list[list[tuple[str, str]]]:
    spec = results.samples.spec
    if not are_tables(spec):
        return [[] for _ in samples]
    found = table_values.in_columns(results.samples.take(np.array([one.row for one in samples])), spec)
    return [list(row.items())[:COLUMNS] for row in found]


def shown(results: Results, samples: list[ToLabel]) -> Markup:
    """The fields, and where the table appears; empty where there is nothing to label. Of a table's rows, which have no
    picture, the first columns are shown."""
    if not samples:
        return Markup("")
    counts = results.samples.class_counts()
    known = sorted(sorted(counts, key=lambda name: -counts[name])[:MOST_KNOWN])
    cells = _cells(results, samples)
    fields = [(one, gallery([one.row], [one.why], one.id), cells[place]) for place, one in enumerate(samples)]
    return render("labelling", fields=fields, known=known, guided=results.to_label is not None, open=OPEN)
