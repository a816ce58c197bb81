"""New samples, and moving pictures of them, as Kedro datasets."""

import base64
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from kedro.io import DatasetError
from kedro_datasets._typing import ImagePreview, TablePreview

from ae_pipelines.base import seals
from ae_pipelines.io.local import LocalDataset, WritableDataset

if TYPE_CHECKING:
    from ae_pipelines.generation.generated import Generated

FRAME_MILLISECONDS = 100


class GeneratedDataset(WritableDataset):
    """A folder with `samples.npy`, `generated.parquet` (a row a sample) and, for images, a PNG file each."""

    def load(self) -> "Generated":
        from ae_pipelines.generation.generated import Generated

        return Generated.load(self._filepath)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows of the table, for Kedro-Viz; latents are shortened."""
        rows = self.load().table().head(nrows)
        rows["latent"] = [f"[{', '.join(f'{value:.2f}' for value in z[:4])}, …]" for z in rows["latent"]]
        return TablePreview(rows.astype(str).to_dict(orient="split"))


class AnimationDataset(LocalDataset):
    """A GIF file that repeats for ever: save its frames, (n, height, width, 3) uint8."""

    def load(self) -> NoReturn:
        raise DatasetError("an animation cannot be loaded, only looked at")

    def save(self, data: np.ndarray) -> None:
        from PIL import Image

        first, *others = (Image.fromarray(frame) for frame in data)
        with seals.replacing(self._filepath) as temporary:
            first.save(
                temporary,
                "GIF",
                save_all=True,
                append_images=others,
                duration=FRAME_MILLISECONDS,
                loop=0,
                optimize=True,
            )

    def preview(self) -> ImagePreview:
        """The file's content, for Kedro-Viz."""
        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode("ascii"))
