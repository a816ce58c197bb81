"""Models on latents as Kedro datasets."""

from typing import Any

from ae_pipelines.downstream import saved
from ae_pipelines.io.local import LocalDataset


class SkopsDataset(LocalDataset):
    """One scikit-learn model."""

    def load(self) -> Any:
        return saved.read(self._filepath)

    def save(self, data: Any) -> None:
        saved.write(self._filepath, data)
