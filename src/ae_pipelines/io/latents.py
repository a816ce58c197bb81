"""The latents file as a Kedro dataset: save a `LatentStream`, load `Latents`."""

from kedro_datasets._typing import TablePreview

from ae_pipelines.io.local import WritableDataset
from ae_pipelines.latents.file import Latents, LatentsFile


class LatentsDataset(WritableDataset):
    """Parquet, written as a stream: one file, or a folder of part files for many rows."""

    def load(self) -> Latents:
        return LatentsFile(self._filepath)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows, for Kedro-Viz; vectors are shortened."""
        first = next(LatentsFile(self._filepath).pieces())
        rows = first.table.head(nrows)
        latents = [f"[{', '.join(f'{value:.2f}' for value in z[:4])}, …]" for z in first.vectors[: len(rows)]]
        rows = rows.assign(latent=latents)
        return TablePreview(rows.astype(str).to_dict(orient="split"))
