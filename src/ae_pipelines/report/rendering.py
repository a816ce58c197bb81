"""Templates of the page; whatever comes from data is escaped."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: Any) -> Markup:
    """`templates/<template>.html.jinja` with these values, each of them escaped unless it is `Markup`."""
    return Markup(_environment().get_template(f"{template}.html.jinja").render(**values))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ae_pipelines.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
