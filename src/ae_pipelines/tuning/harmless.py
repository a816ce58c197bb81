"""Latents of samples before and after a change that leaves what they show as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.nearest import Index
from ae_pipelines.models.corruptions import CorruptionChoice, one_after_another
from ae_pipelines.models.inputs import inputs
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel

SHIFT = 0.07
"""Share of an image's longer side by which it is moved, at most; a pixel for tiny ones."""
REPLACED = 0.1
"""Share of other samples' values that are replaced."""
NEIGHBOURS = 10
ROWS_PER_PASS = 256


@dataclass(frozen=True)
class BothWays:
    """Latents (n, d), float32, of the same samples."""

    clean: np.ndarray
    corrupted: np.ndarray

    @cached_property
    def overlap(self) -> float:
        """Share of the `NEIGHBOURS` nearest clean samples, the sample itself among them, that are so for its corrupted
        latent, too; the mean over samples, between 0 and 1."""
        count = min(NEIGHBOURS, len(self.clean))
        index = Index(self.clean)
        before, after = (index.nearest(vectors, count)[1] for vectors in (self.clean, self.corrupted))
        stay = (before[:, :, None] == after[:, None, :]).any(axis=2)
        return float(stay.mean())


def both_ways(trained: TrainedModel, samples: Samples, clean: np.ndarray, seed: int) -> BothWays:
    """The latents `clean` of the test split, in order, and those of the same samples corrupted with this seed."""
    corrupt = one_after_another([choice.build() for choice in harmless(samples.spec)])
    generator = torch.Generator().manual_seed(seed)
    rows = samples.positions("test")
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), ROWS_PER_PASS):
            x = inputs(samples.take(rows[start : start + ROWS_PER_PASS]), samples.spec)
            x = x if corrupt is None else corrupt(x, generator)
            z = trained.module.encode(trained.encoder_input(x.to(trained.device)))
            found.append(trained.module.vectors(z).cpu().numpy())
    corrupted = np.concatenate(found)
    if not np.isfinite(corrupted).all():
        raise InputError(
            "the encoder gave NaN or Inf for slightly changed samples: train again, with a lower learning rate"
        )
    return BothWays(clean, corrupted)


def harmless(spec: SampleSpec) -> Sequence[CorruptionChoice]:
    """Corruptions that leave what a sample shows as it is: an image is moved, turned, resized and slanted a little, and
    what comes in repeats its border; of other samples a few values become those of others there (Bahri et al. 2022)."""
    one: dict[str, Any] = {"kind": "cut_mix", "share": REPLACED}
    if len(spec.shape) == 3:
        one = {"kind": "affine", "shift": max(1.0, SHIFT * max(spec.shape[1:])), "outside": "border"}
    return [CorruptionChoice(**one)]
