"""Results that are computed while they are written."""

from pathlib import Path
from typing import Protocol


class Writable(Protocol):
    """A result that is computed while it is saved: a node returns it at once, and saving does the work, piece by piece.

    So the result is never held in memory as a whole, and the dataset that saves it needs to know nothing but the place.
    An earlier result at that place stays until the new one is complete.
    """

    def into(self, place: Path, /) -> object:
        """Do the work and write its result to this file or folder."""
        ...
