"""What most datasets here have in common."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from ae_pipelines.base.writable import Writable


class LocalDataset(AbstractDataset[Any, Any]):
    """A file or a folder on this machine."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class WritableDataset(LocalDataset):
    """A file or a folder whose content is made while it is written: save a `Writable`."""

    def save(self, data: Writable) -> None:
        data.into(self._filepath)
