"""Work that is done while its result is written."""

from pathlib import Path
from typing import Protocol


class Writable(Protocol):
    """What is to be written, and how: a node returns it at once, and saving it does the work, piece by piece.

    So the result is never held in memory as a whole, and whoever saves it says where it goes, and needs to know nothing
    else of it. What was at that place stands until the new result is whole.
    """

    def into(self, place: Path, /) -> object:
        """Do the work, and leave its result in this file or folder."""
        ...
