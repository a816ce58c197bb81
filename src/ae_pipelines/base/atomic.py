"""Atomic writes: a reader finds the old file or the new one, even if the writer is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ae_pipelines.base.failures import naming


def file_name(name: str) -> str:
    """The name with only what every file system allows."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends without error."""
    with temporary_beside(path) as temporary:
        yield temporary
        publish(temporary, path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A path in the folder of `path` for an unfinished file or folder, which is removed when the block ends.

    Leftovers of killed writers are removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with naming(path):
            yield temporary
    finally:
        remove(temporary)


def publish(temporary: Path, path: Path, over_folder: bool = False) -> None:
    """Rename a finished file or folder to `path`: its data reach the disk before the name does (fsync, `os.replace`,
    fsync).

    A file takes the place of a file in one step, and of a folder only if it may (`over_folder`); else
    IsADirectoryError. Where one of both is a folder, the old one is removed first: for a moment a reader finds nothing,
    never a mixture.
    """
    for part in (*temporary.rglob("*"), temporary):
        _flush(part)
    if temporary.is_dir() or over_folder:
        remove(path)
    temporary.replace(path)
    _flush(path.parent)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without error; see `publish`."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed writer
    temporary.mkdir(parents=True)
    try:
        with naming(folder):
            yield temporary
            publish(temporary, folder)
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
    for leftover in path.parent.glob(f".{path.stem}.*.tmp{path.suffix}"):
        writer = leftover.name.removeprefix(f".{path.stem}.").split(".")[0]
        if writer.isdigit() and not _alive(int(writer)):
            remove(leftover)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # left by an unfinished write of this process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
