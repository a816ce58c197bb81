"""Samples in a section, named by their row in the store: the page's script puts in their pictures."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup


def gallery(rows: Iterable[int], captions: Iterable[str], says: str) -> Markup:
    """Samples side by side, each with a caption; `says` is what they have in common."""
    return Markup(
        '<div class="gallery" role="group" aria-label="{}" data-samples="{}" data-captions="{}"></div>'
    ).format(says, json.dumps([int(row) for row in rows]), json.dumps(list(captions)))


def opener(where: Mapping[str, Any], title: str, text: str) -> Markup:
    """A button that opens the samples with these values of the page's fields, under a title."""
    return Markup('<button type="button" data-where="{}" data-title="{}" aria-label="{}">{}</button>').format(
        json.dumps(dict(where)), title, f"{text}: {title}", text
    )
