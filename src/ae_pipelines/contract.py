"""What a trained part promises: the data it was made for, and how to rebuild it without its recipe."""

import hashlib
import json
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ae_pipelines.errors import InputError
from ae_pipelines.options import Options

VISIBLE = 0.5 / 255
"""Differences of images with values in [0, 1]: less than this is lost when they are stored."""


def canonical_sha256(content: Any) -> str:
    """sha256 of `content` as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class SampleSpec(Options):
    """What one sample looks like and what was done to it before it was stored."""

    shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    """Without the batch: (channels, height, width)."""
    dtype: Literal["uint8", "float32"]
    """uint8: images, used as value / 255; float32: used as they are."""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """Everything done to a source's raw values, by name."""

    @property
    def sample_bytes(self) -> int:
        """Of one stored sample."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """What a stored value is multiplied with to become a model's input."""
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


class Task(Options):
    """What a model is made for."""

    samples: SampleSpec
    """What its decoder gives."""
    input_shape: tuple[int, ...]
    """Of what its encoder takes: another than the samples' where a corruption changes it."""
    classes: tuple[str, ...] = ()
    """The labels that it may be told, sorted; none where samples have none, or the method wants none."""

    @classmethod
    def plain(cls, samples: SampleSpec, classes: tuple[str, ...] = ()) -> "Task":
        """The encoder takes samples as they are."""
        return cls(samples=samples, input_shape=samples.shape, classes=classes)

    @property
    def enlargement(self) -> int:
        """How many times higher and wider images come out than they go in; `InputError` unless a whole number."""
        (height, width), (seen_height, seen_width) = self.samples.shape[-2:], self.input_shape[-2:]
        times = max(1, round(height / seen_height))
        if (height, width) != (times * seen_height, times * seen_width):
            raise InputError(
                f"{seen_height} x {seen_width} pixels are to become {height} x {width} (height x width), but images "
                "are enlarged by whole numbers: give source.size and the factor of downscale so that one divides the "
                "other"
            )
        return times


class LearnedFrom(Options):
    """Which samples a model learns from: those of the train split, less these."""

    validation_share: float = 0.0
    """Of the train split, picked by content, is held out."""
    normal_labels: tuple[str, ...] = ()
    """Only samples with one of these labels teach it; none: all do."""


class Origin(Options):
    """The encoder that a training started from."""

    recipe: str
    run_id: str | None
    sha256: str
    """Of its contract."""
    frozen: bool
    """Whether it was left as it was."""


class Contract(Options):
    """The text beside the weights (`contract.json`)."""

    part: Literal["autoencoder", "encoder", "decoder"]
    model: dict[str, Any]
    """Kind and every option: rebuilds the module."""
    task: Task
    corruptions: list[dict[str, Any]]
    """Done to the samples before the encoder saw them."""
    latent_shape: tuple[int, ...]
    """(d,), or (d, height, width) where the latent is a feature map; () of a method without latents."""
    preprocessing_sha256: str
    samples_id: str
    """The sample store that it was trained on."""
    learned_from: LearnedFrom = LearnedFrom()
    initial_encoder: Origin | None = None
    """None: the encoder learned from random weights on."""
    recipe: str
    run_id: str | None = None
    versions: dict[str, str]
    sha256: str = ""
    """Over all of the above and the names, dtypes, shapes and bytes of the tensors."""

    @property
    def samples(self) -> SampleSpec:
        return self.task.samples

    @property
    def latent_size(self) -> int:
        """d, of a latent vector or, for a feature map, of its mean over the positions."""
        return self.latent_shape[0]
