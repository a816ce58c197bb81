"""Files that someone gives, read only if they are files: a pipe would never end, and neither would /dev/zero."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from ae_pipelines.base.errors import InputError

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def regular(path: Path) -> Path:
    """The path itself; `InputError` if something is there that is no file. What is not there is not refused."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return path  # whoever opens it says why it cannot be read
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is {KINDS.get(stat.S_IFMT(mode), 'something else')}, expected a file: give one")
    return path


def opened(path: Path) -> BufferedReader:
    """The file, opened for reading; `InputError` if it is no file, `OSError` if it cannot be read."""
    return open(regular(path), "rb", opener=_without_waiting)


def content(path: Path, most: int | None = None) -> bytes:
    """What is in the file; `InputError` if it is no file, or has more than `most` bytes."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise InputError(f"{path} has {size:,} bytes, more than the {most:,} allowed: give another file")
        return file.read()


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that has taken the file's place since without waiting for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)
