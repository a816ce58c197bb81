"""Which groups there are, and what is in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.page_data.table_columns import are_tables
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown import charts, table_values
from ae_pipelines.report.shown.charts import Line, Mark
from ae_pipelines.report.shown.galleries import gallery, opener
from ae_pipelines.report.shown.scales import Axis, shown
from ae_pipelines.report.shown.words import interval, isolated, percent

MOST_GROUPS = 50
"""Only so many of the largest are shown."""
NEAREST, FARTHEST = 12, 4
"""Members of a group that are shown: typical ones, and those that fit it least."""
NOISE = -1
PECULIAR = 4
"""Columns of a table that are told of a group."""
ENOUGH = 2000
"""Rows whose mean stands for that of more."""


@dataclass(frozen=True)
class Group:
    """A row of the section."""

    name: str
    size: int
    share: str
    commonest: str
    nearest: Markup
    farthest: Markup
    button: Markup
    peculiar: list[tuple[str, str]]
    """The columns of a table in which its members differ most from others, and their mean or commonest value."""


def section(results: Results) -> Section | None:
    """A row a group, the largest first; None without groups."""
    sizes, clusters = results.cluster_sizes, results.clusters
    if sizes is None or clusters is None:
        return None
    largest = sizes[sizes["cluster"] != NOISE].sort_values("size", ascending=False, kind="stable")
    numbers, distances = (clusters[name].to_numpy() for name in ("cluster", "distance"))
    shown_groups = largest["cluster"].head(MOST_GROUPS)
    members = {int(group): rows for group, rows in _members(numbers, distances, shown_groups)}
    own = _Peculiar(results)
    groups = [
        _group(row, members[int(row["cluster"])], distances, own) for _, row in largest.head(MOST_GROUPS).iterrows()
    ]
    html = render(
        "groups",
        sentences=list(_sentences(results, largest)),
        groups=groups,
        rest=_rest(largest),
        noise=_noise(sizes),
        tried=_tried(results),
    )
    picked = [_shown_rows(rows) for rows in members.values()]
    return Section("groups", "Groups", html, np.unique(np.concatenate([np.empty(0, np.int64), *picked])))


def _members(numbers: np.ndarray, distances: np.ndarray, groups: pd.Series) -> Iterator[tuple[int, np.ndarray]]:
    """Each of these groups with its rows, the nearest to its centre first."""
    order = np.lexsort((distances, numbers))
    sorted_groups = numbers[order]
    for group in groups:
        first, after = np.searchsorted(sorted_groups, [group, group + 1])
        yield int(group), order[first:after]


def _shown_rows(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[:NEAREST], rows[NEAREST:][-FARTHEST:]]).astype(np.int64)


def _group(row: pd.Series, rows: np.ndarray, distances: np.ndarray, own: "_Peculiar") -> Group:
    number = int(row["cluster"])
    near, far = rows[:NEAREST], rows[NEAREST:][-FARTHEST:][::-1]
    title = f"group {number}"
    return Group(
        name=f"Group {number}",
        size=int(row["size"]),
        share=percent(row["share"]),
        commonest=_commonest(row),
        nearest=gallery(near, map(shown, distances[near].tolist()), f"nearest to the centre of {title}"),
        farthest=gallery(far, map(shown, distances[far].tolist()), f"farthest from the centre of {title}")
        if len(far)
        else Markup(""),
        button=opener({"group": str(number)}, title, "show all"),
        peculiar=own.of(rows),
    )


class _Peculiar:
    """What members of a group have in common; of samples without named columns nothing."""

    def __init__(self, results: Results) -> None:
        self._samples = results.samples
        self._is_table = are_tables(results.samples.spec)
        self._others = self._values(np.arange(len(results.samples))) if self._is_table else None

    def of(self, rows: np.ndarray) -> list[tuple[str, str]]:
        if self._others is None:
            return []
        return table_values.peculiar(self._values(rows), self._others, self._samples.spec, PECULIAR)

    def _values(self, rows: np.ndarray) -> np.ndarray:
        """Of these rows, or of as many as suffice for a mean."""
        return self._samples.take(np.sort(rows)[:: max(1, len(rows) // ENOUGH)])


def _commonest(row: pd.Series) -> str:
    """The commonest label among those that are known."""
    labelled = int(row["labelled"])
    if not labelled:
        return "no member has a label"
    count = round(row["purity"] * labelled)
    return (
        f"mostly “{isolated(row['label'])}”: {count:,} of {labelled:,} with a label, {percent(row['purity'])}"
        f"{interval(row.get('purity_low'), row.get('purity_high'))}"
    )


def _sentences(results: Results, groups: pd.DataFrame) -> Iterator[str]:
    if not len(groups):
        yield "No group was found: all samples are on their own."
        return
    how = results.cluster_model.kind.replace("_", " ") if results.cluster_model is not None else "clustering"
    smallest, largest = int(groups["size"].min()), int(groups["size"].max())
    yield (
        f"{len(groups):,} groups, found by {how} among latents without looking at any label; the smallest has "
        f"{smallest:,} samples, the largest {largest:,}. Captions are distances to the centre of the group."
    )
    metrics = results.cluster_metrics or {}
    if "accuracy" in metrics:
        sure = interval(metrics.get("accuracy_low"), metrics.get("accuracy_high"))
        text = (
            f"If each group is given the class that fits it best, {percent(metrics['accuracy'])}{sure} of the "
            f"{int(metrics['labelled_rows']):,} labelled samples are in the right one; always the commonest class: "
            f"{percent(metrics['majority'])}"
        )
        yield text + (f"; groups of PCA: {percent(metrics['pca_accuracy'])}." if "pca_accuracy" in metrics else ".")


def _rest(groups: pd.DataFrame) -> str:
    rest = groups.iloc[MOST_GROUPS:]
    if not len(rest):
        return ""
    return (
        f"{len(rest):,} smaller groups are not shown: they have {int(rest['size'].min()):,} to "
        f"{int(rest['size'].max()):,} samples, {int(rest['size'].sum()):,} together."
    )


def _noise(sizes: pd.DataFrame) -> str:
    alone = sizes[sizes["cluster"] == NOISE]
    if not len(alone):
        return ""
    size, share = int(alone["size"].iloc[0]), percent(alone["share"].iloc[0])
    return f"{size:,} samples ({share}) are in no group: they lie too far from all others."


def _tried(results: Results) -> Markup:
    """How the number of groups was chosen, if it was."""
    tried: Any = getattr(results.cluster_model, "tried", None)
    if tried is None or not tried.numbers:
        return Markup("")
    values = np.array(tried.values, float)
    chosen = len(results.cluster_model.centres)
    says = f"{tried.criterion} for {tried.numbers[0]} to {tried.numbers[-1]} groups; {chosen} were chosen"
    line = Line("", tried.numbers, values, dots=True)
    return charts.line_chart([line], says, Axis("number of groups"), Axis(tried.criterion), [Mark(chosen, "chosen")])
