"""The whole page as one text."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup

from ae_pipelines.report import sections
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page_data.contents import contents
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results

PARTS = (
    *("elements.js", "saving.js", "data.js", "colours.js", "thumbnails.js", "tiles.js", "neighbours.js"),
    *(
        "grid.js",
        "points.js",
        "marks.js",
        "gestures.js",
        "map.js",
        "legend.js",
        "selection.js",
        "theme.js",
        "map_page.js",
    ),
)
"""What a page with a map is made of; these files define things and do nothing."""
SCRIPTS = (*PARTS, "page.js", "labelling.js")
STYLES = ("report.css", "sections.css")
"""Files of `static/`, in the order in which they follow each other."""


def page(results: Results, options: ReportOptions) -> str:
    """A page of at most `options.max_bytes` that needs no other file."""
    head, below = sections.head(results), list(sections.below_the_map(results))
    shown = np.concatenate([head.rows, *(section.rows for section in below)]).astype(np.int64)
    values: dict[str, Any] = {"head": head, "sections": below}
    frame = document("page", SCRIPTS, **values, contents=None)
    room = options.max_bytes - len(frame.encode())
    return document("page", SCRIPTS, **values, contents=contents(results, options, shown, room))


def document(template: str, scripts: tuple[str, ...], styles: tuple[str, ...] = STYLES, **values: Any) -> str:
    """A page of this template that loads nothing: its policy allows its own script and style only."""
    script, style = _joined(scripts), _joined(styles)
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    text = str(render(template, policy=policy, script=Markup(script), style=Markup(style), **values))
    return text.encode("utf-8", "replace").decode()  # names of files may hold bytes that are no letters


def _joined(names: tuple[str, ...]) -> str:
    folder = files("ae_pipelines.report") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
