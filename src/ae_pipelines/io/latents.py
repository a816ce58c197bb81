"""The latents file as a Kedro dataset: save a `LatentStream`, load `Latents`."""

from kedro_datasets._typing import TablePreview

from ae_pipelines.io.local import WritableDataset
from ae_pipelines.latents.file import Latents, LatentsFile


class LatentsDataset(WritableDataset):
    """One parquet file, written as a stream."""

    def load(self) -> Latents:
        return LatentsFile(self._filepath)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows, for Kedro-Viz; vectors are shortened."""
        import pyarrow.parquet as pq

        rows = next(pq.ParquetFile(self._filepath).iter_batches(nrows)).to_pandas()
        rows["latent"] = [f"[{', '.join(f'{value:.2f}' for value in z[:4])}, …]" for z in rows["latent"]]
        return TablePreview(rows.astype(str).to_dict(orient="split"))
