"""What one sample looks like, and which samples a model learns from."""

from math import prod
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options

VISIBLE = 0.5 / 255
"""Smallest visible difference between images with values in [0, 1]: less is lost when they are stored."""

RANGE = "range"
"""Name of the range in the preprocessing of images, where they do not use all values of their dtype."""
OPEN_RANGE = "data"
"""The range of samples that are yet to be ingested, if it is to follow from them."""


class Scaling(NamedTuple):
    """How stored values become a model's inputs: (value - offset) * scale, and cut to [0, 1] if `clip`."""

    scale: float
    offset: float = 0.0
    clip: bool = False


class SampleSpec(Options):
    """What one sample looks like and what was done to it before it was stored."""

    shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    """Shape without the batch axis: (channels, height, width)."""
    dtype: Literal["uint8", "uint16", "float32"]
    """uint8, uint16: images, whose `range` is scaled to [0, 1]; float32: used as they are."""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """Everything done to a source's raw values, by name."""

    @property
    def sample_bytes(self) -> int:
        """Size of one stored sample."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def largest(self) -> int:
        """The largest value that images can hold."""
        return int(np.iinfo(self.dtype).max)

    @property
    def range(self) -> tuple[float, float]:
        """The stored values of images that become 0 and 1; values beyond are cut to them."""
        low, high = self.preprocessing.get(RANGE, (0, self.largest))
        return low, high

    @property
    def scaling(self) -> Scaling:
        """How stored values become a model's inputs."""
        if not self.bounded:
            return Scaling(1.0)
        low, high = self.range
        return Scaling(1 / (high - low), low, clip=(low, high) != (0, self.largest))

    @property
    def scale(self) -> float:
        """Factor of stored values, 1/255 for images of 8 bits."""
        return self.scaling.scale

    @property
    def bounded(self) -> bool:
        """Whether inputs lie in [0, 1], so that a decoder may end in a sigmoid: whether samples are images."""
        return self.dtype != "float32"

    def as_input(self, stored: np.ndarray) -> np.ndarray:
        """Stored values as a model gets them, float32; `models.inputs` does the same in torch."""
        scale, offset, clip = self.scaling
        x = stored.astype(np.float32)
        if offset:
            x -= np.float32(offset)
        if scale != 1.0:
            x *= np.float32(scale)
        return np.clip(x, 0, 1, out=x) if clip else x

    def as_stored(self, inputs: np.ndarray) -> np.ndarray:
        """What a store would hold for what a decoder gives, (n, *shape): the reverse of `as_input`, rounded."""
        if not self.bounded:
            return inputs
        low, high = self.range
        values = inputs * (high - low) + low
        return np.rint(values).clip(0, self.largest).astype(self.dtype)

    def as_picture(self, stored: np.ndarray) -> np.ndarray:
        """Stored images as uint8, for files that people look at: their range becomes 0 to 255."""
        if self.dtype == "uint8" and RANGE not in self.preprocessing:
            return stored
        return np.rint(self.as_input(stored) * 255).astype(np.uint8)

    def with_range(self, low: float, high: float) -> "SampleSpec":
        """These samples with another range."""
        return self.model_copy(update={"preprocessing": {**self.preprocessing, RANGE: [float(low), float(high)]}})

    @property
    def decoded(self) -> dict[str, Any]:
        """All that stored values depend on, for hashes: the range is applied later."""
        described = self.model_dump(mode="json")
        if self.bounded:
            described["preprocessing"].pop(RANGE, None)
        return described

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
