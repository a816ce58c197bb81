"""Models on latents as Kedro datasets."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from ae_pipelines.downstream import saved


class SkopsDataset(AbstractDataset[Any, Any]):
    """One scikit-learn model."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        return saved.read(self._filepath)

    def save(self, data: Any) -> None:
        saved.write(self._filepath, data)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
