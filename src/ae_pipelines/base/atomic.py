"""Files that are either the old one or the new one, whatever kills the writer."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends without error."""
    with temporary_beside(path) as temporary:
        yield temporary
        publish(temporary, path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A path in the folder of `path` for a file that is not whole yet; it is gone when the block ends.

    What earlier killed writers left is swept first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def publish(temporary: Path, path: Path) -> None:
    """Give a whole file its name: the data reach the disk before the name does (fsync, `os.replace`, fsync)."""
    _flush(temporary)
    temporary.replace(path)
    _flush(path.parent)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without error.

    Between the old one's removal and the new one's naming there is a moment with neither: a reader then finds nothing,
    never a mixture.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a writer that was killed
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            _flush(path)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replace the content of `path` atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f".{path.stem}.*.tmp{path.suffix}"):
        writer = left.name.removeprefix(f".{path.stem}.").split(".")[0]
        if writer.isdigit() and not _alive(int(writer)):
            left.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # an earlier write of ours that did not finish
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
