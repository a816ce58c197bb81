"""What one sample looks like, and which samples a model learns from."""

from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options

VISIBLE = 0.5 / 255
"""Smallest visible difference between images with values in [0, 1]: less is lost when they are stored."""


class SampleSpec(Options):
    """What one sample looks like and what was done to it before it was stored."""

    shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    """Shape without the batch axis: (channels, height, width)."""
    dtype: Literal["uint8", "float32"]
    """uint8: images, used as value / 255; float32: used as they are."""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """Everything done to a source's raw values, by name."""

    @property
    def sample_bytes(self) -> int:
        """Size of one stored sample."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """Factor by which a stored value is multiplied to become a model's input."""
        return 1 / 255 if self.dtype == "uint8" else 1.0

    @property
    def bounded(self) -> bool:
        """Whether inputs lie in [0, 1], so that a decoder may end in a sigmoid."""
        return self.dtype == "uint8"

    @property
    def preprocessing_sha256(self) -> str:
        return canonical_sha256(self.preprocessing)

    def refuse_other(self, other: "SampleSpec", owner: str) -> None:
        """Raise `InputError` naming every difference between these samples and `other`."""
        differences = [
            f"{name} {getattr(other, name)!r} (expected {getattr(self, name)!r})"
            for name in type(self).model_fields
            if getattr(other, name) != getattr(self, name)
        ]
        if differences:
            raise InputError(
                f"these samples are not what the {owner} was trained on: {'; '.join(differences)}. "
                "Ingest them with the same source options, or train on them."
            )

    def refuse_misfit(self, samples: np.ndarray, owner: str) -> None:
        """Raise `InputError` unless `samples` is (batch, *shape) of this dtype, finite and not empty."""
        if samples.ndim != len(self.shape) + 1 or samples.shape[1:] != self.shape:
            raise InputError(
                f"the {owner} takes samples of shape (batch, {', '.join(map(str, self.shape))}), given {samples.shape}"
            )
        if samples.dtype != self.dtype:
            raise InputError(
                f"the {owner} takes {self.dtype} samples, given {samples.dtype}: "
                "give the values as they are stored, before any scaling"
            )
        if len(samples) == 0:
            raise InputError(f"the {owner} was given no samples")
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            bad = int((~np.isfinite(samples)).reshape(len(samples), -1).any(1).sum())
            raise InputError(f"{bad} of {len(samples)} samples given to the {owner} have NaN or Inf")


class LearnedFrom(Options):
    """Which samples a model learns from: those of the train split, as far as these options allow."""

    validation_share: float = 0.0
    """Share of the train split, picked by content, that is held out."""
    normal_labels: tuple[str, ...] = ()
    """It learns only from samples with one of these labels; none: from all."""
