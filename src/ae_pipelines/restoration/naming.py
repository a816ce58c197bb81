"""What written files are called: each has a name of its own, below the folder that they are written into."""

import re
from collections.abc import Iterable
from itertools import count

LONGEST = 200
"""Bytes of one part of a path, before anything is appended; file systems take 255."""
DEEPEST = 16
"""Most parts of a path; of one with more, the last are kept."""


class FreeNames:
    """Gives out names, none twice. No file has the name of a folder, and names that differ only in capitals are the
    same, as for some file systems."""

    def __init__(self, ending: str, taken: Iterable[str] = ()) -> None:
        """`ending`: what every file ends with; `taken`: paths that are in use."""
        self._ending, self._files = ending, {path.casefold() for path in taken}
        self._folders: set[str] = set()
        self._tried: dict[str, int] = {}

    def free(self, text: str) -> str:
        """A path like `text`, whatever that is, without its ending; `_2`, `_3`, ... is appended if it is in use."""
        *folders, last = _parts(text)
        place = ""
        for folder in folders:
            place += folder
            place += "_2/" if place.casefold() in self._files else "/"  # no file is called this, without an ending
            self._folders.add(place[:-1].casefold())
        return self._file(place + last)

    def _file(self, wanted: str) -> str:
        key = wanted.casefold()
        for number in count(self._tried.get(key, 1)):
            name = wanted if number == 1 else f"{wanted}_{number}"
            path = (name + self._ending).casefold()
            if path not in self._files and path not in self._folders:
                break
        self._tried[key] = number + 1
        self._files.add(path)
        return name


def _parts(text: str) -> list[str]:
    """Parts of a path, of letters, digits and some signs."""
    parts = [re.sub(r"[^\w .+()\[\]-]", "_", part) for part in text.split("/") if part][-DEEPEST:]
    return [part.encode()[:LONGEST].decode(errors="ignore") if part.strip(" .") else "_" for part in parts or [""]]
