"""The sample store as a Kedro dataset: save what to ingest, load `Samples`."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from ae_pipelines.ingest import Ingest
from ae_pipelines.samples import Samples


class SampleStoreDataset(AbstractDataset[Ingest, Samples]):
    """A folder with shards, index, rejects and manifest."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Samples:
        return Samples(self._filepath)

    def save(self, data: Ingest) -> None:
        data.into(self._filepath)

    def preview(self) -> JSONPreview:
        """The manifest, for Kedro-Viz."""
        return JSONPreview((self._filepath / "manifest.json").read_text())

    def _exists(self) -> bool:
        return (self._filepath / "manifest.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
