"""New samples on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.generation.generator import Generator
from ae_pipelines.samples.spec import SampleSpec

SAMPLES, TABLE = "samples.npy", "generated.parquet"
COLOURS = (1, 3)
"""Numbers of channels of images that are written as PNG files."""


@dataclass(frozen=True)
class Generated:
    """New samples, the latents they were decoded from, and the requested classes."""

    samples: np.ndarray
    """(n, *shape), as in a sample store: images uint8 or uint16, others float32."""
    latents: np.ndarray
    """(n, d), float32."""
    classes: list[str | None]
    spec: SampleSpec | None = None
    """What samples look like; None: they are looked at as they are."""

    def table(self) -> pd.DataFrame:
        """A row for each sample: `file` (None where there is none), `class` (None if none was requested), `latent`."""
        files: list[str] | list[None] = self._files() or [None] * len(self.samples)
        return pd.DataFrame({"file": files, "class": self.classes, "latent": list(self.latents)})

    def into(self, folder: Path) -> None:
        """Replace the folder with these, whole or not at all."""
        from PIL import Image

        with seals.replacing_folder(folder) as temporary:
            np.save(temporary / SAMPLES, self.samples)
            self.table().to_parquet(temporary / TABLE, index=False)
            pictures = self.samples if self.spec is None else self.spec.as_picture(self.samples)
            for name, sample in zip(self._files(), pictures, strict=False):
                Image.fromarray(sample[0] if len(sample) == 1 else sample.transpose(1, 2, 0)).save(temporary / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `into` wrote; `InputError` if there is nothing, or if it is damaged."""
        if not (folder / TABLE).exists():
            raise InputError(f"no new samples in {folder}: run generate first", stages=("generate",))
        seals.check(folder, "run generate again", stages=("generate",))
        table = pd.read_parquet(folder / TABLE)
        classes = [None if pd.isna(name) else str(name) for name in table["class"]]
        return cls(np.load(folder / SAMPLES, allow_pickle=False), np.stack(list(table["latent"])), classes)

    def _files(self) -> list[str]:
        """Names of the PNG files; none where samples are not images."""
        images = self.samples.dtype.kind == "u" and self.samples.ndim == 4 and self.samples.shape[1] in COLOURS
        digits = max(4, len(str(len(self.samples) - 1)))
        return [f"{number:0{digits}}.png" for number in range(len(self.samples))] if images else []


def generated(generator: Generator) -> Generated:
    """As many new samples as the options say."""
    z, classes = generator.draw(generator.options.count)
    return Generated(np.concatenate(list(generator.made(z, classes))), z, classes, generator.samples.spec)
