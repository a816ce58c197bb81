"""What the sources of encoded images share."""

from functools import cached_property
from typing import Any

from ae_pipelines.samples.images import ImageDecoder, ImageOptions, Size
from ae_pipelines.samples.labels import Unlabelled
from ae_pipelines.samples.sources import GivenPath
from ae_pipelines.samples.spec import SampleSpec


class ImageSource(ImageOptions):
    """An `EncodedSource`, but for its images: a subclass finds them, and the size that samples have."""

    path: GivenPath
    unlabelled: Unlabelled = None

    @property
    def decode(self) -> ImageDecoder:
        return ImageDecoder.of(self, self._size)

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=self.decode.shape, dtype="uint8", preprocessing=self.decode.preprocessing)

    def decoding(self) -> dict[str, Any]:
        return self.decode.acceptance

    @cached_property
    def _size(self) -> Size:
        """Height and width of all samples, in pixels; `InputError` if the images differ in size and are not resized."""
        raise NotImplementedError
