"""Images and files for tests of restoring."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

NOISE = {"kind": "gaussian_noise", "noise_level": 0.1, "clip": True}
SCENE = np.stack([*np.mgrid[:30, :45].astype(np.uint8), np.full((30, 45), 99, np.uint8)], axis=-1) * 2
"""uint8 (height, width, channels)."""


def encoded(values, **options):
    Image.fromarray(values).save(content := io.BytesIO(), "PNG", **options)
    return content.getvalue()


def folder_of(place, **files):
    """A folder with these images, by names whose __ is a dot."""
    place.mkdir(parents=True, exist_ok=True)
    for name, values in files.items():
        Image.fromarray(values).save(place / name.replace("__", "."))
    return place


def parquet(path, images):
    pq.write_table(pa.table({"image": images}), path)
    return path
