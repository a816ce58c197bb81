"""The images to be restored: files, rows of a parquet file, or test samples."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.models.corruptions import CorruptionChoice, one_after_another
from ae_pipelines.restoration.encoded import EncodedImages, stem
from ae_pipelines.restoration.options import TEST_SAMPLES, RestoreOptions
from ae_pipelines.samples.images import Still, at_own_size
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel

log = logging.getLogger(__name__)

ROWS = 64
"""Rows that are read at once."""


@dataclass(frozen=True)
class Given:
    """One image to be restored; images are (channels, height, width), float32, in [0, 1] unless a corruption goes
    beyond."""

    name: str
    """What its file should be called, without extension; others may have the same name."""
    corrupted: np.ndarray
    clean: np.ndarray | None = None
    alpha: np.ndarray | None = None
    """uint8 (height, width) of the given image."""
    profile: bytes | None = None
    """ICC profile of the given image."""


@dataclass(frozen=True)
class LeftOut:
    """What cannot be restored, and why."""

    name: str
    reason: str


Source = Iterator[Given | LeftOut]
Corrupt = Callable[[np.ndarray, str], np.ndarray]
"""(image, its name) → the image as the model got it in training; seeded by its name, so that it does not depend on
which others there are."""


def given(options: RestoreOptions, trained: TrainedModel, samples: Samples, written: Path) -> tuple[int, Source]:
    """The number of images, and each in turn; none from the folder `written`."""
    if options.input is None:
        rows = samples.positions("test")
        count = min(options.limit or TEST_SAMPLES, len(rows))
        rows = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
        return count, _test_samples(samples, rows, corruption(trained, options.seed))
    encoded = options.encoded_images(options.input, written)
    return len(encoded.names), _decoded(encoded, trained, options)


def corruption(trained: TrainedModel, seed: int) -> Corrupt:
    """Corrupts as in training; `InputError` for a model that was trained without corruptions."""
    corrupt = one_after_another([CorruptionChoice(**choice).build() for choice in trained.contract.corruptions])
    if corrupt is None:
        raise InputError(f"the model (recipe {trained.contract.recipe}) was trained without corruptions")

    def corrupted(image: np.ndarray, name: str) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None]
        own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])
        return corrupt(x, torch.Generator().manual_seed(own))[0].contiguous().numpy()

    return corrupted


def _test_samples(samples: Samples, rows: np.ndarray, corrupt: Corrupt) -> Source:
    names = samples.index["sample_id"].to_numpy()
    for some in np.array_split(rows, -(-len(rows) // ROWS)):
        for row, values in zip(some, samples.take(some), strict=True):
            clean, name = samples.spec.as_input(values), str(names[row])
            yield Given(name, corrupt(clean, name), clean)


def _decoded(encoded: EncodedImages, trained: TrainedModel, options: RestoreOptions) -> Source:
    task = trained.contract.task
    corrupt = corruption(trained, options.seed) if options.corrupt else None
    channels = task.input_shape[0] if corrupt is None else task.samples.shape[0]
    for name, content, clean_file in zip(encoded.names, encoded.contents, encoded.clean, strict=True):
        try:
            image = _read(content, channels, task.samples)
            if image.first_of_several:
                log.warning("%s: the first of several frames or pages is restored, others are not", name)
            values, alpha = task.samples.as_input(image.values), image.alpha
            if corrupt is None:
                clean = _clean(clean_file, task.samples)
            else:
                height, width = _whole_cells(values, task.enlargement)
                clean, alpha = values[:, :height, :width], alpha if alpha is None else alpha[:height, :width]
                values = corrupt(clean, name)
            yield Given(stem(name), values, clean, alpha, image.profile)
        except Unusable as fault:
            yield LeftOut(name, str(fault))


def _whole_cells(image: np.ndarray, times: int) -> tuple[int, int]:
    """Height and width, cut to multiples of `times`, by which the image is made smaller."""
    height, width = (side - side % times for side in image.shape[1:])
    if not height or not width:
        raise Unusable(f"fewer than {times} pixels high or wide")
    return height, width


def _clean(path: Path | None, spec: SampleSpec) -> np.ndarray | None:
    """The clean image; None, with a warning, if it cannot be read: the given one can be restored all the same."""
    if path is None:
        return None
    try:
        return spec.as_input(_read(path, spec.shape[0], spec).values)
    except Unusable as fault:
        log.warning("clean image %s is left out of the comparison: %s", path, fault)
        return None


def _read(content: bytes | Path, channels: int, spec: SampleSpec) -> Still:
    try:
        content = content if isinstance(content, bytes) else content.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    return at_own_size(content, "rgb" if channels == 3 else "grey", spec.dtype == "uint16")
