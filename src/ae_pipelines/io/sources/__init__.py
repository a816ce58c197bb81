"""Where samples come from: one file a source, each with an entry in `conf/base/catalog_sources.yml`."""

import os
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from kedro.io import AbstractDataset, DatasetError

from ae_pipelines.base.options import Options
from ae_pipelines.samples.source import EncodedSource, Source


def printable_stem(path: Path) -> str:
    """A file's name without its suffix; bytes that are no text are escaped."""
    return os.fsencode(path.stem).decode("utf-8", "backslashreplace")


class SourceDataset(AbstractDataset[None, Source | EncodedSource]):
    """Loading gives a source, which reads nothing until its blocks are asked for."""

    metadata: dict[str, Any] | None = None

    def save(self, data: None) -> NoReturn:
        raise DatasetError("sources are read only")


class PathDataset(SourceDataset):
    """The catalog entry of a source that is made of a path and options, which it takes by name."""

    source: ClassVar[type]
    """Made of (path, options)."""
    options: ClassVar[type[Options]]

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        self._path, self._options = Path(str(path)), self.options.model_validate(options)
        self.metadata = metadata

    def load(self) -> Source | EncodedSource:
        return self.source(self._path, self._options)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, **self._options.model_dump()}
