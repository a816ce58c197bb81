"""What to label next, with a field for each label; the page saves them as a table that `ingest.labels` reads."""

from dataclasses import dataclass

import numpy as np
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
        whys = [f"{guess}?" for guess in table["predicted"]]
        found = zip(results.latents.positions(table["sample_id"]), table["sample_id"], whys, strict=True)
        return [ToLabel(int(row), str(name), why) for row, name, why in found if row >= 0]
    return _typical(results) if results.predictions is None else []


def _typical(results: Results) -> list[ToLabel]:
    """Samples without a label that lie nearest to the centre of their group, of each group and split in turn: a
    classifier is judged by labels of test samples too."""
    if results.clusters is None:
        return []
    groups, splits = results.clusters["cluster"].to_numpy(), results.latents.splits.codes
    rows = np.flatnonzero((groups >= 0) & ~results.latents.labelled)
    order = np.lexsort((results.clusters["distance"].to_numpy()[rows], splits[rows], groups[rows]))
    rows = rows[order]
    turn = _turn(np.stack([groups[rows], splits[rows]]))
    first = turn < max(1, FEW // max(1, len(np.unique(groups[rows]))))
    rows, turn = rows[first], turn[first]
    picked = rows[np.lexsort((splits[rows], groups[rows], turn))][:MOST]
    found = zip(picked, results.ids(picked), groups[picked], strict=True)
    return [ToLabel(int(row), str(name), f"group {group}") for row, name, group in found]


def _turn(kinds: np.ndarray) -> np.ndarray:
    """Of columns (some, n) that are sorted: how many equal ones are before each."""
    places = np.arange(kinds.shape[1])
    begins = np.append(True, (kinds[:, 1:] != kinds[:, :-1]).any(axis=0))[: len(places)]
    return places - np.maximum.accumulate(np.where(begins, places, 0))


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
