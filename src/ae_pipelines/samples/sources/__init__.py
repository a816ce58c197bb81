"""Where samples come from: one file per source, each with an entry in `conf/base/catalog_sources.yml`."""

import os
from pathlib import Path

from ae_pipelines.base.registry import Choice, Registry

SOURCES = Registry("source", __name__)
"""Makers of a `Source` or an `EncodedSource`, which reads nothing until it is used."""


class SourceChoice(Choice):
    """A source by kind."""

    registry = SOURCES


def printable_stem(path: Path) -> str:
    """A file's name without its suffix; bytes that are not text are escaped."""
    return os.fsencode(path.stem).decode("utf-8", "backslashreplace")
