"""The whole page as one text."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page import PARTS, STYLES, document
from ae_pipelines.report.page_data.contents import Contents, contents
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs import in_short, moves
from ae_pipelines.report.two_runs.both_maps import OnBothMaps, on_common_maps
from ae_pipelines.report.two_runs.changes import Changes
from ae_pipelines.report.two_runs.matching import matched_samples
from ae_pipelines.report.two_runs.measures import measures
from ae_pipelines.report.two_runs.moves import Change
from ae_pipelines.report.two_runs.parameters import parameters
from ae_pipelines.report.two_runs.side import Side

SCRIPTS = (*PARTS, "compare.js")
SHEETS = (*STYLES, "compare.css")


@dataclass(frozen=True)
class Compared:
    """What both runs make of the samples that they have in common."""

    changes: Changes
    sections: list[Change]

    @classmethod
    def of(cls, here: Results, there: Results, options: ReportOptions) -> "Compared":
        here, there = on_common_maps(here, there, options)
        changes = Changes(here, there, matched_samples(here, there))
        return cls(changes, moves.sections(changes))

    def contents(self, options: ReportOptions, most_bytes: int) -> Contents:
        """What the maps and galleries show."""
        shown = np.concatenate([np.empty(0, np.int64), *(section.rows for section in self.sections)])
        attempt = partial(OnBothMaps, changes=self.changes)
        return contents(self.changes.here, options, shown, most_bytes, attempt)


def page(here: Side, there: Side, options: ReportOptions) -> str:
    """A page of at most `options.max_bytes` that needs no other file. `InputError` if both runs have results and no
    sample in common."""
    if here.results is None or there.results is None:
        return _document(here, there, None, None)
    compared = Compared.of(here.results, there.results, options)
    frame = _document(here, there, compared, None)
    found = compared.contents(options, options.max_bytes - len(frame.encode()))
    return _document(here, there, compared, found)


def _document(here: Side, there: Side, compared: Compared | None, found: Contents | None) -> str:
    tables = measures(here, there)
    return document(
        "compare",
        SCRIPTS if compared else (),
        SHEETS,
        title=f"{here.about} beside {there.about}",
        here=here,
        there=there,
        sentences=in_short.sentences(tables, compared.changes if compared else None),
        notes=[
            *in_short.not_shown(here, there),
            *(in_short.only_in_one(compared.changes) if compared else []),
            *(found.notes if found else []),
        ],
        changes=compared.sections if compared else [],
        measures=tables,
        parameters=parameters(here, there),
        has_maps=compared is not None,
        contents=found,
    )
