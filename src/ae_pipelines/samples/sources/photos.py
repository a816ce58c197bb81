"""Patches of the two photographs that scikit-learn ships: 7,400 colour images of 32 × 32, nothing to download."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.samples.spec import SampleSpec

PATCH, STRIDE = 32, 8
"""Side of a patch and distance between patches, pixels."""
HEIGHT, WIDTH, BORDER = 427, 640, 512
"""Size of each photo and place of the border, pixels; the columns left of the border, 80 % of them, are train."""
REGIONS = {"train": (0, BORDER), "test": (BORDER, WIDTH)}
"""First and end column of each split; patches overlap within a region, and never across the border."""


@SOURCES.register("photos")
class Photos:
    """A temple ("china") and a dahlia ("flower"), labelled as such; the source has its own split.

    Train patches overlap, so those held out for validation are hardly new to a model; test patches are.
    """

    name = "photos"

    def spec(self) -> SampleSpec:
        cut = {"patch_size": PATCH, "stride": STRIDE}  # pixels
        return SampleSpec(shape=(3, PATCH, PATCH), dtype="uint8", preprocessing=cut)

    def count(self) -> int:
        return 2 * sum(len(_corners(*region)) for region in REGIONS.values())

    def blocks(self) -> Iterator[Block]:
        from sklearn.datasets import load_sample_images

        photos = load_sample_images()
        for path, photo in zip(photos.filenames, photos.images, strict=True):
            label = Path(path).stem
            for split, region in REGIONS.items():
                corners = _corners(*region)
                values = np.stack([photo[top : top + PATCH, left : left + PATCH] for top, left in corners])
                ids = [f"photos/{label}/{top:03d}/{left:03d}" for top, left in corners]
                channels_first = np.ascontiguousarray(values.transpose(0, 3, 1, 2))  # (n, 3, height, width)
                yield Block(channels_first, ids, [label] * len(ids), [split] * len(ids))


def _corners(first: int, end: int) -> list[tuple[int, int]]:
    """Row and column of the top left pixel of every patch that lies between these columns."""
    rows, columns = range(0, HEIGHT - PATCH + 1, STRIDE), range(first, end - PATCH + 1, STRIDE)
    return list(product(rows, columns))
