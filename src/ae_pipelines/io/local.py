"""What most datasets here have in common."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


class LocalDataset(AbstractDataset[Any, Any]):
    """A file or a folder of this machine."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
