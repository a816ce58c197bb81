"""What a page knows of its samples, within so many bytes: as many samples as there are, or as fit."""

import base64
import json
import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.downstream import plane
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page_data import neighbours
from ae_pipelines.report.page_data.fields import Field, fields_of
from ae_pipelines.report.page_data.packed import BASE64, Block, places, text_columns
from ae_pipelines.report.page_data.sparklines import sparklines
from ae_pipelines.report.page_data.table_columns import are_tables, table_columns
from ae_pipelines.report.page_data.thumbnails import Thumbnailer, Thumbnails, are_images, steps
from ae_pipelines.report.results import Results

log = logging.getLogger(__name__)

FOR_NEIGHBOURS = 1 / 3
"""Most of a page's bytes that latents may take."""
FOR_COLUMNS = 1 / 3
"""Most of a page's bytes that columns of a table may take."""
COLUMN_BYTES = 4 * BASE64
"""Of one value of a table's column, at most."""
ELEMENT = 100
"""Characters of the element that holds a sheet, at most."""
FEWEST = 100
"""A page does not show fewer points, however small it is to be."""
SPARE = 0.97
"""Of the bytes there are: how well thumbnails compress is estimated."""


@dataclass(frozen=True)
class Contents:
    """What the page's code is given."""

    index: str
    """JSON, safe in a script element."""
    block: str
    """Columns, base64 of gzip."""
    sheets: list[str]
    """Thumbnails, base64."""
    points: int
    """How many samples are on the map."""
    notes: list[str]
    """What the reader should know of what is not there, a sentence each."""

    @property
    def size(self) -> int:
        """Characters that it adds to the page."""
        return len(self.index) + len(self.block) + sum(len(sheet) + ELEMENT for sheet in self.sheets)


def contents(
    results: Results,
    options: ReportOptions,
    always: np.ndarray,
    most_bytes: int,
    attempt: Callable[..., "Attempt"] | None = None,
) -> Contents:
    """The samples on the map, and those in the rows `always`; fewer on the map where they do not all fit.

    `attempt` makes an `Attempt` that knows more of them.
    """
    attempt = attempt or Attempt
    points, share = results.rows, 1.0
    while True:
        found = attempt(results, points, always, most_bytes).made()
        if isinstance(found, Contents):
            return _with_note(found, len(points), results, options)
        share *= found * SPARE
        kept = max(FEWEST, int(share * len(results.rows)))
        if kept >= len(points):
            log.warning("the report is larger than report.max_bytes=%d: give it more", options.max_bytes)
            return attempt(results, points, always, most_bytes, at_any_size=True).made()  # type: ignore[return-value]
        points = np.sort(np.random.default_rng(options.seed).permutation(results.rows)[:kept])


def _with_note(found: Contents, shown: int, results: Results, options: ReportOptions) -> Contents:
    """With a sentence on samples that are not on the map."""
    laid_out, there = len(results.rows), len(results.latents)
    if shown == there:
        return found
    why = f"report.samples={options.samples}"
    if shown < laid_out:
        why = f"so that this page has at most {options.max_bytes / 1e6:g} MB, report.max_bytes"
    note = f"The map shows {shown:,} of {there:,} samples, picked at random ({why})."
    return replace(found, notes=[note, *found.notes])


@dataclass(frozen=True)
class Layout:
    """One map of the samples."""

    name: str
    title: str
    places: np.ndarray
    """(n, 2), in the order of the page's samples; NaN where a sample has none."""


@dataclass
class Attempt:
    """Contents with some of the points."""

    results: Results
    points: np.ndarray
    always: np.ndarray
    most_bytes: int
    at_any_size: bool = False

    def made(self) -> Contents | float:
        """The contents, or for which share of the samples there may be room."""
        self.rows = np.union1d(self.points, self.always).astype(np.int64)
        self.block, self.notes = Block(), list[str]()
        about = self._about()
        seen = self._seen(about)
        if isinstance(seen, float):
            return seen
        about["columns"] = self.block.index
        index = json.dumps(about, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        sheets = [base64.b64encode(sheet).decode() for sheet in (seen.sheets if seen else [])]
        found = Contents(index, self.block.text(), sheets, len(self.points), self.notes)
        fits = found.size <= self.most_bytes or self.at_any_size
        return found if fits else self.most_bytes / found.size

    def _about(self) -> dict[str, Any]:
        """Everything but what one sees of a sample."""
        results, rows, block = self.results, self.rows, self.block
        block.add("row", rows.astype(np.uint32))
        characters, lengths = text_columns([str(name) for name in results.ids(rows)])
        block.add("id", characters)
        block.add("id_length", lengths)
        fields = [*self._fields(), *self._columns()]
        return {
            "layouts": [self._packed(layout) for layout in self._layouts()],
            "fields": [field.packed(block) for field in fields],
            "neighbours": self._neighbours(),
        }

    def _neighbours(self) -> dict[str, Any]:
        vectors = self.results.latents.at(self.rows)
        return neighbours.packed(vectors, self.block, self.most_bytes * FOR_NEIGHBOURS)

    def _fields(self) -> Iterable[Field]:
        return fields_of(self.results, self.rows)

    def _layouts(self) -> Iterator[Layout]:
        table = self.results.map
        ids = pd.Index(self.results.rows_of_map).get_indexer(self.rows)
        for name in plane.layouts_of(table):
            points = np.where(ids[:, None] >= 0, plane.places_in(table, name)[ids], np.nan)
            title = plane.IN_WORDS[name]
            yield Layout(name, title[0].upper() + title[1:], points)

    def _packed(self, layout: Layout) -> dict[str, str]:
        """Only samples that are to be on the map have a place."""
        points = np.where(np.isin(self.rows, self.points)[:, None], layout.places, np.nan)
        column = self.block.add(f"place/{layout.name}", places(points))
        return {"name": layout.name, "title": layout.title, "column": column}

    def _columns(self) -> list[Field]:
        """Columns of a table; the first ones, where there are too many."""
        samples = self.results.samples
        if not are_tables(samples.spec):
            return []
        most = max(1, int(self.most_bytes * FOR_COLUMNS / COLUMN_BYTES / len(self.rows)))
        there = len(samples.spec.preprocessing["columns"])
        if there > most:
            self.notes.append(f"Of {there:,} columns the first {most:,} are shown.")
        return [field for field in table_columns(samples, self.rows, most) if field.usable]

    # -- what one sees of a sample -----------------------------------------------------------------------------

    def _seen(self, about: dict[str, Any]) -> Thumbnails | float | None:
        """Thumbnails where samples are images, or for which share of the samples there is room."""
        samples = self.results.samples
        left = self.most_bytes - len(self.block.text()) - len(json.dumps(about))
        if not are_images(samples.spec):
            if not are_tables(samples.spec):
                about["sparklines"] = sparklines(samples, self.rows, left * SPARE).packed(self.block)
            return None
        found = self._thumbnails(left * SPARE / BASE64)
        if isinstance(found, float):  # bytes that they would take
            return self.most_bytes / (self.most_bytes - left + found * BASE64)
        about["thumbnails"] = found.about()
        return found

    def _thumbnails(self, most_bytes: float) -> Thumbnails | float:
        """The best that fit, or how many bytes the smallest would take."""
        maker, known = Thumbnailer(self.results.samples, self.rows), steps(self.results.samples.spec)
        first = bisect_left(known, True, hi=len(known) - 1, key=lambda step: maker.estimate(step) <= most_bytes)
        expected = maker.estimate(known[first])
        if expected > most_bytes and not self.at_any_size:
            return expected
        for step in known[first:]:
            found = maker.make(step)
            if found.size <= most_bytes or self.at_any_size:
                return found
        return float(found.size)
