"""What the picture of a run shows of an image: its middle, where single changed pixels can be seen."""

from dataclasses import dataclass
from typing import Self

import numpy as np

WIDEST = 128
"""Most pixels of a restored image that are shown, along each side."""


@dataclass(frozen=True)
class Shown:
    """One column of the picture; the clean image is None if it is not known."""

    corrupted: np.ndarray
    baselines: dict[str, np.ndarray]
    restored: np.ndarray
    clean: np.ndarray | None


@dataclass(frozen=True)
class Middle:
    """The middle of a corrupted image, in its pixels."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @classmethod
    def of(cls, corrupted: np.ndarray, times: int) -> Self:
        """`times`: how many times larger the restored image is."""
        most = max(1, WIDEST // times)
        rows, columns = (max(0, (side - most) // 2) for side in corrupted.shape[1:])
        return cls((rows, rows + most), (columns, columns + most))

    def cut(self, image: np.ndarray, times: int = 1) -> np.ndarray:
        """A copy of the middle, so that the image is not kept, from one that is `times` larger."""
        rows, columns = (slice(times * start, times * end) for start, end in (self.rows, self.columns))
        return image[:, rows, columns].copy()
