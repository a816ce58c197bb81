"""The whole page as one text."""

import base64
import hashlib
from importlib.resources import files

from markupsafe import Markup

from ae_pipelines.report import sections
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results

SCRIPTS: tuple[str, ...] = ()
STYLES = ("report.css",)
"""Files of `static/`, in the order in which they follow each other."""


def page(results: Results, options: ReportOptions) -> str:
    """A page that needs no other file and loads nothing: its policy allows its own script and style only."""
    script, style = _joined(SCRIPTS), _joined(STYLES)
    head = sections.head(results)
    below = list(sections.below_the_map(results))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return str(render("page", head=head, sections=below, policy=policy, script=Markup(script), style=Markup(style)))


def _joined(names: tuple[str, ...]) -> str:
    folder = files("ae_pipelines.report") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
