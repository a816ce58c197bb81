"""What to label next, with a field for each label; the page saves them as a table that `ingest.labels` reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.galleries import gallery
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results

MOST = 100
MOST_KNOWN = 500
"""Classes that a field proposes, the commonest first."""
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
        rows = pd.Index(results.ids).get_indexer(table["sample_id"])
        whys = [f"{guess}?" for guess in table["predicted"]]
        return [ToLabel(int(row), str(results.ids[row]), why) for row, why in zip(rows, whys, strict=True) if row >= 0]
    return _typical(results) if results.predictions is None else []


def _typical(results: Results) -> list[ToLabel]:
    """Samples without a label that lie nearest to the centre of their group, of each group as many, split by split:
    a classifier is judged by labels of test samples too."""
    clusters = results.clusters
    if clusters is None or not (clusters["cluster"] >= 0).any():
        return []
    table = clusters.assign(row=np.arange(len(clusters)), split=results.latents.column("split").to_numpy(object))
    table = table[(table["cluster"] >= 0) & ~results.latents.labelled].sort_values("distance", kind="stable")
    groups = max(1, table["cluster"].nunique())
    each = max(1, FEW // groups)
    picked = table.groupby(["cluster", "split"], sort=True).head(each).sort_values(["cluster", "split", "distance"])
    found = zip(picked["row"].head(MOST), picked["cluster"].head(MOST), strict=True)
    return [ToLabel(int(row), str(results.ids[row]), f"group {group}") for row, group in found]


def shown(results: Results, samples: list[ToLabel]) -> Markup:
    """The fields, and where the table appears; empty where there is nothing to label."""
    if not samples:
        return Markup("")
    counts = results.samples.class_counts()
    known = sorted(sorted(counts, key=lambda name: -counts[name])[:MOST_KNOWN])
    fields = [(one, gallery([one.row], [one.why], one.id)) for one in samples]
    return render("labelling", fields=fields, known=known, guided=results.to_label is not None)
