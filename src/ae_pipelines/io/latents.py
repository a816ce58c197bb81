"""The latents file as a Kedro dataset: save a stream, load `Latents`."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from ae_pipelines import latents
from ae_pipelines.latents import Latents, LatentsFile, LatentStream


class LatentsDataset(AbstractDataset[LatentStream, Latents]):
    """One parquet file, written as a stream."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Latents:
        return LatentsFile(self._filepath)

    def save(self, data: LatentStream) -> None:
        latents.write(self._filepath, data)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows, for Kedro-Viz; vectors are shortened."""
        import pyarrow.parquet as pq

        rows = next(pq.ParquetFile(self._filepath).iter_batches(nrows)).to_pandas()
        rows["latent"] = [f"[{', '.join(f'{value:.2f}' for value in z[:4])}, …]" for z in rows["latent"]]
        return TablePreview(rows.astype(str).to_dict(orient="split"))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
