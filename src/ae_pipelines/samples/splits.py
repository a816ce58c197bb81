"""Which split a sample is in: it follows from its content, so it stays the same as data grow."""

from typing import Literal

import numpy as np
import pyarrow as pa

TEST_SHARE = 0.2
"""Share of the samples that become the test split when the source has no split of its own."""


def split_by_content(sha256: str) -> Literal["train", "test"]:
    """The split of a sample whose source has none."""
    return "test" if _fraction(sha256, "test") < TEST_SHARE else "train"


def held_out(sha256: pa.Array, share: float) -> np.ndarray:
    """A bool for each sample: whether it is in a validation share of this size."""
    return np.array([_fraction(sha, "validation") < share for sha in sha256.to_pylist()])


def _fraction(sha256: str, purpose: str) -> float:
    """A number in [0, 1) that depends on a sample's content alone, a different one for each purpose."""
    start = {"test": 0, "validation": 8}[purpose]
    return int(sha256[start : start + 8], 16) / 2**32
