"""scikit-learn's handwritten digits: 1,797 images of 8 × 8, embedded, nothing to download."""

from collections.abc import Iterator

import numpy as np

from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.samples.spec import SampleSpec


@SOURCES.register("digits")
class Digits:
    """Alpaydin & Kaynak 1998 (UCI), as shipped with scikit-learn; no split of their own."""

    name = "digits"

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={"scale": "0..16 to 0..255, rounded"})

    def count(self) -> int:
        return 1797

    def blocks(self) -> Iterator[Block]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        values = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
        ids = [f"digits/{number:04d}" for number in range(len(values))]
        yield Block(values, ids, [str(label) for label in digits.target])
