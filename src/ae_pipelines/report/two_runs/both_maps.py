"""Where samples lie on the maps of both runs, and what the page knows of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.downstream import plane
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page_data.contents import Attempt, Layout
from ae_pipelines.report.page_data.fields import Field, fields_of
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.changes import Changes
from ae_pipelines.report.two_runs.matching import Matched, turned

OTHER = "other_"
"""Begins the name of a layout of the other run."""
LEFT_TO_TELL = ("group_distance", "probability", "blurred_error", "seen")
"""Fields of this run that say nothing about the difference."""


def on_common_maps(here: Results, there: Results, options: ReportOptions) -> tuple[Results, Results]:
    """Both, laid out in the same ways: those that they have in common, or by PCA, which takes no time."""
    known = plane.layouts_of(there.map)
    common = [name for name in plane.layouts_of(here.map) if name in known and name != plane.AS_THEY_ARE]
    if not common:
        return _by_pca(here, options), _by_pca(there, options)
    return _only(here, common), _only(there, common)


def _by_pca(results: Results, options: ReportOptions) -> Results:
    rows = np.arange(len(results.latents))
    if len(rows) > options.samples:
        rows = np.sort(np.random.default_rng(options.seed).choice(rows, options.samples, replace=False))
    points = plane.placed(results.latents.at(rows), "pca", options.seed)
    return replace(
        results, map=pd.DataFrame({"sample_id": results.ids[rows], "pca_x": points[:, 0], "pca_y": points[:, 1]})
    )


def _only(results: Results, names: list[str]) -> Results:
    columns = [f"{name}_{axis}" for name in names for axis in "xy"]
    return replace(results, map=results.map[["sample_id", *columns]])


@dataclass(kw_only=True)
class OnBothMaps(Attempt):
    """Samples of this run, with what the other one makes of them."""

    changes: Changes

    def _fields(self) -> Iterator[Field]:
        found = [field for field in fields_of(self.results, self.rows) if field.name not in LEFT_TO_TELL]
        changed = [field for field in self.changes.fields(self.rows) if field.usable]
        yield from (*found, *changed)

    def _neighbours(self) -> dict[str, Any]:
        return {"kind": "none", "reason": ""}

    def _layouts(self) -> Iterator[Layout]:
        """Each layout of this run, then the same of the other one, turned so that both look alike."""
        for name in plane.layouts_of(self.results.map):
            ours = placed_in_rows(self.results, name)
            theirs = places_of_other(self.changes.there, self.changes.matched, name, ours)
            yield Layout(name, plane.IN_WORDS[name], ours[self.rows])
            yield Layout(f"{OTHER}{name}", plane.IN_WORDS[name], theirs[self.rows])


def placed_in_rows(results: Results, layout: str) -> np.ndarray:
    """Places (n, 2) of all samples by row; NaN for those that are not on the map."""
    places = np.full((len(results.latents), 2), np.nan, np.float32)
    rows = pd.Index(results.ids).get_indexer(results.map["sample_id"])
    places[rows] = plane.places_in(results.map, layout)
    return places


def places_of_other(there: Results, matched: Matched, layout: str, ours: np.ndarray) -> np.ndarray:
    """The other run's places (n, 2) of this run's samples by row, turned as `ours`; NaN where it has none."""
    theirs = np.full_like(ours, np.nan)
    theirs[matched.here] = placed_in_rows(there, layout)[matched.there]
    both = np.flatnonzero(np.isfinite(ours).all(axis=1) & np.isfinite(theirs).all(axis=1))
    return turned(theirs, ours, both)
