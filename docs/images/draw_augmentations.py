"""Draws `augmentations.png`, six train photos of CIFAR-10 and two views of each by every set of corruptions:
`AE_TEST_DATA=<folder of cifar10/train.parquet> python docs/images/draw_augmentations.py`."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from ae_pipelines.models.corruptions import one_after_another
from ae_pipelines.plots.rows import examples
from ae_pipelines.training.options import LoaderOptions

SHOWN = [1, 5, 8, 17, 25, 51]
SETS = ["photos", "objects", "glyphs"]


def photos(folder: Path) -> np.ndarray:
    """(n, 3, 32, 32), in [0, 1]."""
    column = pq.read_table(folder / "cifar10" / "train.parquet", columns=["image"])["image"].slice(0, 64).to_pylist()
    pixels = [np.asarray(Image.open(BytesIO(column[row]["bytes"])).convert("RGB")) for row in SHOWN]
    return np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32) / 255


if __name__ == "__main__":
    clean = photos(Path(os.environ["AE_TEST_DATA"]))
    rows = {"sample": clean}
    for name in SETS:
        corrupt = one_after_another([choice.build() for choice in LoaderOptions(augment=name).corruptions])
        generator = torch.Generator().manual_seed(0)
        for view in (1, 2):
            rows[f"{name}, {view}"] = corrupt(torch.from_numpy(clean), generator).numpy()
    figure = examples(rows, "What loader.augment does to photos: two views by each set")
    figure.savefig(Path(__file__).with_name("augmentations.png"))
