"""A new image, decoded like the samples of a store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ae_pipelines.base import regular_files
from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.samples.image_options import ImageOptions
from ae_pipelines.samples.images import ImageDecoder
from ae_pipelines.samples.spec import SampleSpec

LARGEST = 256 * 2**20
"""Most bytes of an image file."""
COLOURS = {1: "grey", 3: "rgb"}
"""Colour option by number of channels."""


def as_stored(path: Path, spec: SampleSpec) -> np.ndarray:
    """An image file as `decoded` gives it; `InputError` also if it cannot be read."""
    try:
        content = regular_files.content(path, LARGEST)
    except OSError as error:
        raise InputError(f"cannot read the image {path}: {error.strerror}; give the path of an image file") from error
    return decoded(content, spec, str(path), instead="search.ids")


def decoded(content: bytes, spec: SampleSpec, name: str, instead: str) -> np.ndarray:
    """The image in a file's content, (channels, height, width), processed in the same way as
    samples like `spec`.

    Samples that were not decoded from image files (arrays, IDX) do not record how: then the image must already have
    their size. `InputError` if it cannot become such a sample: `name` says which image, `instead` what else could be
    given.
    """
    decoder = _decoder(spec, instead)
    try:
        return decoder(content).copy()  # Pillow's memory is read only, which torch does not like
    except Unusable as fault:
        height, width = decoder.size
        raise InputError(
            f"{name} cannot be used: {fault}. These samples are {decoder.options.colour} images of {height} x {width} "
            "pixels (height x width)" + ("; images are brought to that size" if decoder.options.resize else "")
        ) from fault


def encoding(trained: Any) -> Callable[[Path], np.ndarray]:
    """A function from an image file to its latent (1, d), by a trained autoencoder or encoder."""
    return lambda path: trained.encode(as_stored(path, trained.contract.samples)[None])


def _decoder(spec: SampleSpec, instead: str) -> ImageDecoder:
    if not spec.bounded or len(spec.shape) != 3 or spec.shape[0] not in COLOURS:
        raise InputError(
            f"samples of shape {spec.shape} and dtype {spec.dtype} were not made from image files, so an image cannot "
            f"be compared with them: give {instead} instead"
        )
    recorded = {name: value for name, value in spec.preprocessing.items() if name in ImageOptions.model_fields}
    if not recorded:
        recorded = {"colour": COLOURS[spec.shape[0]]}
    decoder = ImageDecoder(
        ImageOptions(**{**recorded, "size": spec.shape[1:]}), (spec.shape[1], spec.shape[2]), spec.dtype == "uint16"
    )
    if len(recorded) > 1 and decoder.preprocessing != spec.decoded["preprocessing"]:
        raise InputError(
            "these samples were decoded by another version of ae_pipelines, so a new image would not match them: "
            f"ingest them again, or give {instead}"
        )
    return decoder
