"""The sample store as a Kedro dataset: save an `Ingest`, load `Samples`."""

from pathlib import Path

from kedro_datasets._typing import JSONPreview

from ae_pipelines.io.local import WritableDataset
from ae_pipelines.samples.store import Samples


class SampleStoreDataset(WritableDataset):
    """A folder with shards, index, rejects and manifest."""

    def sealed(self) -> Path:
        return self._filepath / "manifest.json"

    def refuse_damaged(self) -> None:
        self.load().verify()

    def load(self) -> Samples:
        return Samples(self._filepath)

    def preview(self) -> JSONPreview:
        """The manifest, for Kedro-Viz."""
        return JSONPreview((self._filepath / "manifest.json").read_text())

    def _exists(self) -> bool:
        return (self._filepath / "manifest.json").exists()
