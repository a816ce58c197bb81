"""Which split a sample is in: it follows from its content, so it stays the same as data grow."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

TEST_SHARE = 0.2
"""Share of the samples that become the test split when the source has no split of its own."""


def split_by_content(sha256: str) -> Literal["train", "test"]:
    """The split of a sample whose source has none."""
    return "test" if int(sha256[:8], 16) / 2**32 < TEST_SHARE else "train"


def splits_by_content(sha256: Sequence[str]) -> list[str]:
    """The same for many."""
    test = _digits(sha256, 0) / 2.0**32 < TEST_SHARE
    return np.where(test, "test", "train").tolist()


def held_out(places: np.ndarray, share: float) -> np.ndarray:
    """A bool for each sample: whether it is in a validation share of this size; by its `validation_places`."""
    return places / 2.0**32 < share


def validation_places(sha256: Sequence[str]) -> np.ndarray:
    """Where each sample is on a line from 0 to 2^32, from whose start validation shares are taken, uint32; it has
    nothing to do with its split."""
    return _digits(sha256, 8)


def _digits(sha256: Sequence[str], start: int) -> np.ndarray:
    """The number that eight hexadecimal digits are, from `start` on, uint32."""
    part = slice(start, start + 8)
    return np.frombuffer(bytes.fromhex("".join([sha[part] for sha in sha256])), ">u4").astype(np.uint32)
