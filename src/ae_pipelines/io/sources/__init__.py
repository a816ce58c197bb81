"""Where samples come from: one file a source, each with an entry in `conf/base/catalog_sources.yml`."""

import os
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from ae_pipelines.samples import EncodedSource, Source


def printable_stem(path: Path) -> str:
    """A file's name without its suffix; bytes that are no text are escaped."""
    return os.fsencode(path.stem).decode("utf-8", "backslashreplace")


class SourceDataset(AbstractDataset[None, Source | EncodedSource]):
    """Loading gives a source, which reads nothing until its blocks are asked for."""

    metadata: dict[str, Any] | None = None

    def save(self, data: None) -> NoReturn:
        raise DatasetError("sources are read only")
