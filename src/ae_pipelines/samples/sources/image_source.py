"""What the sources of encoded images share."""

import logging
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Self

from pydantic import PrivateAttr

from ae_pipelines.samples.image_files import Bits, bits_of, common_size, header_size
from ae_pipelines.samples.image_options import ImageOptions, Size
from ae_pipelines.samples.images import ImageDecoder
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.ranges import Range, ranged
from ae_pipelines.samples.spec import RANGE, SampleSpec

log = logging.getLogger(__name__)


class Looked(NamedTuple):
    """What the headers of a source's images say."""

    size: Size
    """Height and width of all samples, pixels."""
    bits: Counter[Bits | None]
    """How many images have how many bits; None: cannot be used."""


class ImageSource(ImageOptions):
    """An `EncodedSource`, but for its images: a subclass finds them.

    Samples are uint8, or uint16 where at least one image is 16-bit grey.
    """

    path: Path
    unlabelled: Unlabelled = None
    range: Range | None = None
    """Stored values that a model gets as 0 and 1. full: 0 to 255, or to 65535 of 16-bit grey; data: from the 0.1 % to
    the 99.9 % quantile of the train split's pixels; [low, high]; None: data for 16-bit grey, else full."""
    _trained: SampleSpec | None = PrivateAttr(None)
    """What a model that is to take the samples was trained on."""

    def like(self, spec: SampleSpec) -> Self:
        """These images in the depth and on the range of samples like `spec`, if those are images."""
        if not spec.bounded:
            return self
        found = self.model_copy(update={"range": spec.preprocessing.get(RANGE, "full")})
        found._trained = spec
        found.__dict__.pop("_deep", None)
        return found

    @property
    def decode(self) -> ImageDecoder:
        return ImageDecoder.of(self, self._looked.size, self._deep)

    def spec(self) -> SampleSpec:
        """What every sample looks like; a range of `data` is open until all are there."""
        decode = self.decode
        dtype: Literal["uint8", "uint16"] = "uint16" if decode.deep else "uint8"
        spec = SampleSpec(shape=decode.shape, dtype=dtype, preprocessing=decode.preprocessing)
        return ranged(spec, self.range, of_others=self._trained is not None)

    def decoding(self) -> dict[str, Any]:
        return self.decode.acceptance

    def _headers(self, needed: bool) -> Iterator[tuple[str, BinaryIO | None]]:
        """Ids of the images, and what they are read from; None for one that can have 16-bit grey by no means, unless
        all headers are `needed`. Raises where the source as a whole is at fault."""
        raise NotImplementedError

    @cached_property
    def _looked(self) -> Looked:
        """What the headers say; `InputError` if the images differ in size and are not resized."""
        bits: Counter[Bits | None] = Counter()
        known = self.size if self.resize else None

        def sizes() -> Iterator[tuple[str, Size | None]]:
            for name, file in self._headers(needed=known is None):
                bits[bits_of(file, self) if file else "8"] += 1
                yield name, header_size(file, self) if file and known is None else known

        if known is None:
            return Looked(common_size(sizes(), self), bits)
        for _ in sizes():
            pass
        return Looked(known, bits)

    @cached_property
    def _deep(self) -> bool:
        """Whether samples are uint16; told, if they are, or if images have more bits than are read."""
        bits = self._looked.bits
        deep, count = bits["16 of grey"], bits.total() - bits[None]
        if bits["16 of colours"]:
            log.warning(
                "%d of %d images have 16 bits in each of several channels, of which the upper 8 are read: only 16-bit "
                "grey keeps its depth",
                *(bits["16 of colours"], count),
            )
        if self._trained is not None and (self._trained.dtype == "uint16") != bool(deep):
            return self._as_trained(deep, count)
        if deep:
            _tell_deep(deep, count)
        return bool(deep)

    def _as_trained(self, deep: int, count: int) -> bool:
        """Whether the samples that a model was trained on are uint16, though of these images the others are; told."""
        if not deep and count:
            log.warning(
                "none of the %d images is 16-bit grey, but those that the model was trained on are: they become "
                "value * 257. If their brightness is not comparable, train on such images",
                count,
            )
        if deep:
            log.warning(
                "%d of %d images are 16-bit grey, but the model was trained on 8 bits: they become "
                "value * 255 / 65535. If their brightness is not comparable, train on such images",
                *(deep, count),
            )
        return not deep


def _tell_deep(deep: int, count: int) -> None:
    """Say that samples keep 16 bits, and what becomes of images with fewer."""
    if deep == count:
        log.info("%d images are 16-bit grey: samples are uint16 and keep their values", count)
        return
    log.warning(
        "%d of %d images are 16-bit grey, so samples are uint16, and the others become value * 257: if their "
        "brightness is not comparable, read them apart",
        *(deep, count),
    )
