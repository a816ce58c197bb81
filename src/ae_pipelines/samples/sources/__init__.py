"""Where samples come from: one file a source, each with an entry in `conf/base/catalog_sources.yml`."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from ae_pipelines.base.registry import Choice, Registry

SOURCES = Registry("source", __name__)
"""Makers of a `Source` or an `EncodedSource`, which reads nothing until it is asked for something."""

GivenPath = Annotated[Path, BeforeValidator(lambda given: Path(str(given)) if isinstance(given, str | int) else given)]
"""An option; a command line makes a number of a folder that is called 2024."""


class SourceChoice(Choice):
    """A source by kind."""

    registry = SOURCES


def printable_stem(path: Path) -> str:
    """A file's name without its suffix; bytes that are no text are escaped."""
    return os.fsencode(path.stem).decode("utf-8", "backslashreplace")
