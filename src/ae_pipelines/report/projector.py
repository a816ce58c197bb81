"""Latents as TensorBoard's embedding projector reads them: vectors, what is known about each, and thumbnails.

A folder with raw float32 vectors, a table with tabs, one sheet of thumbnails ("sprite") and a `projector_config.pbtxt`
that names them. Neither torch nor TensorBoard is needed to write it; `torch.utils.tensorboard` holds all pictures in
memory as floats, eight times and more what this does.
"""

import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from ae_pipelines.base import seals
from ae_pipelines.base.options import Options
from ae_pipelines.base.progress import Steps
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.png import PngWriter
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)

MOST_SAMPLES = 100_000
"""The projector reads no more than the first so many."""
SHEET = 8_192
"""Most pixels of a sheet's side: what every WebGL takes as one texture."""
BLOCK_BYTES = 2**24
"""Most bytes of images that are in memory at once."""
CONFIG, VECTORS, METADATA, SPRITE = "projector_config.pbtxt", "latents.bytes", "metadata.tsv", "sprite.png"
UNLABELLED = "unlabelled"
"""The projector takes an empty field for the number 0, which may be a class."""
BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Letters that would end a field or a line, or turn the direction of what follows."""


class ProjectorOptions(Options):
    """What TensorBoard's projector shows."""

    samples: Annotated[int, Field(gt=0, le=MOST_SAMPLES)] = MOST_SAMPLES
    """Most samples; of more, so many random ones."""
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Projector:
    """A projector's folder on its way to the disk."""

    latents: Latents
    samples: Samples
    groups: np.ndarray | None
    """The group of each sample, where there are groups."""
    options: ProjectorOptions

    def into(self, folder: Path) -> None:
        """Write the folder; thumbnails pass through memory a line of the sheet at a time."""
        rows = self._rows()
        spec = self.samples.spec
        with seals.replacing_folder(folder) as place:
            self.latents.at(rows).astype("<f4").tofile(place / VECTORS)
            (place / METADATA).write_text(_table(known(self.latents, self.groups, rows)), encoding="utf-8")
            sheet = Sheet.of(spec, len(rows)) if is_image(spec) else None
            if sheet:
                sheet.write(place / SPRITE, self.samples, rows)
            (place / CONFIG).write_text(_config(len(rows), self.latents.size, sheet), encoding="utf-8")

    def _rows(self) -> np.ndarray:
        """Positions of the samples that are shown, ascending."""
        total, most = len(self.latents), self.options.samples
        if total <= most:
            return np.arange(total)
        log.info("projector: shows %s of %s samples, picked at random", f"{most:,}", f"{total:,}")
        return np.sort(np.random.default_rng(self.options.seed).permutation(total)[:most])


def known(latents: Latents, groups: np.ndarray | None, rows: np.ndarray) -> pd.DataFrame:
    """What is known about the samples at these positions, as text: sample_id, label, group, split and error, as far
    as there are any."""
    table = latents.take(rows)
    columns = {"sample_id": table["sample_id"]}
    if latents.labelled.any():
        columns["label"] = table["label"].fillna(UNLABELLED)
    if groups is not None:
        columns["group"] = pd.Series(groups[rows], table.index)
    columns["split"] = table["split"]
    if "reconstruction_error" in table:
        columns["error"] = table["reconstruction_error"].map("{:.5g}".format)
    return pd.DataFrame(columns).astype(str)


def _table(columns: pd.DataFrame) -> str:
    """A line of names, then a line a sample, its fields between tabs."""
    lines = zip(*(columns[name].str.replace(BREAKING, " ", regex=True) for name in columns), strict=True)
    return "".join("\t".join(line) + "\n" for line in [tuple(columns), *lines])


def is_image(spec: SampleSpec) -> bool:
    """Whether samples can be shown as thumbnails."""
    return spec.bounded and len(spec.shape) == 3


@dataclass(frozen=True)
class Sheet:
    """Thumbnails in a square, line by line: the projector finds them in no other shape."""

    side: int
    """Number of thumbnails in a line, and of lines."""
    pixels: int
    """Width and height of a thumbnail."""
    channels: int
    """1 or 3."""

    @classmethod
    def of(cls, spec: SampleSpec, count: int) -> "Sheet":
        """A sheet for so many thumbnails, each as large as its image if there is room for that."""
        side = math.isqrt(count - 1) + 1
        return cls(side, min(max(spec.shape[1:]), SHEET // side), 3 if spec.shape[0] == 3 else 1)

    def write(self, path: Path, samples: Samples, rows: np.ndarray) -> None:
        """A PNG file of the samples at these positions."""
        size = self.side * self.pixels
        with path.open("wb") as file, Steps(len(rows), "thumbnails", "sample") as steps:
            png = PngWriter(file, size, size, self.channels)
            for start in range(0, self.side**2, self.side):
                shown = rows[start : start + self.side]
                png.add(self._line(samples, shown))
                steps.advance(len(shown))
            png.close()

    def _line(self, samples: Samples, rows: np.ndarray) -> np.ndarray:
        """Thumbnails side by side, (pixels, side * pixels, channels); what is left of the line is black."""
        line = np.zeros((self.side, self.pixels, self.pixels, self.channels), np.uint8)
        for place, picture in zip(line, self._thumbnails(samples, rows), strict=False):
            height, width = picture.shape[:2]
            top, left = (self.pixels - height) // 2, (self.pixels - width) // 2
            place[top : top + height, left : left + width] = picture
        return line.swapaxes(0, 1).reshape(self.pixels, -1, self.channels)

    def _thumbnails(self, samples: Samples, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Each picture, (height, width, channels), small enough; its first channel if it has neither one nor three."""
        count = max(1, BLOCK_BYTES // samples.spec.sample_bytes)
        for start in range(0, len(rows), count):
            stored = samples.take(rows[start : start + count])[:, : self.channels]
            yield from map(self._thumbnail, samples.spec.as_picture(stored).transpose(0, 2, 3, 1))

    def _thumbnail(self, picture: np.ndarray) -> np.ndarray:
        scale = min(1.0, self.pixels / max(picture.shape[:2]))
        height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        from PIL import Image

        image = Image.fromarray(picture if self.channels == 3 else picture[..., 0])
        return np.asarray(image.resize((width, height), Image.Resampling.BOX)).reshape(height, width, -1)


def _config(count: int, size: int, sheet: Sheet | None) -> str:
    """What the projector reads first: which files there are, and how large things in them are."""
    sprite = (
        f"""  sprite {{
    image_path: "{SPRITE}"
    single_image_dim: {sheet.pixels}
    single_image_dim: {sheet.pixels}
  }}
"""
        if sheet
        else ""
    )
    return f"""embeddings {{
  tensor_name: "latents"
  tensor_path: "{VECTORS}"
  tensor_shape: {count}
  tensor_shape: {size}
  metadata_path: "{METADATA}"
{sprite}}}
"""
