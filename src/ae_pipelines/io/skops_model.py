"""Models on latents as Kedro datasets."""

from typing import Any

from ae_pipelines.downstream import saved
from ae_pipelines.io.local import LocalDataset
from ae_pipelines.io.skippable import Skippable


class _Model(LocalDataset):
    def load(self) -> Any:
        return saved.read(self._filepath)

    def save(self, data: Any) -> None:
        saved.write(self._filepath, data)


class SkopsDataset(Skippable, _Model):
    """One scikit-learn model, or `Skipped`."""
