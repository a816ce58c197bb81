"""One run at a time in a data folder."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError

LOCK = ".run.lock"
ANOTHER = {"data_dir": "..."}
"""The option that names a data folder."""


@contextmanager
def only_run(folder: Path, name: str) -> Iterator[None]:
    """Within this block no other run works in `folder`; `InputError` at once if one does, naming its process and start.

    The system lets go of the lock when the process ends, however it ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK).acquire(timeout=0)
    except filelock.Timeout as error:
        raise InputError(
            f"{_holder(folder)} works in {folder.resolve()}: wait until it has ended, or give another data_dir",
            options=ANOTHER,
        ) from error
    except OSError as error:
        raise InputError(f"cannot write in {folder}: {error}; give another data_dir", options=ANOTHER) from error
    with lock:
        holder = {"pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S %z"), "name": name}
        atomic.write_text(folder / ".run.json", json.dumps(holder))
        try:
            yield
        finally:
            (folder / ".run.json").unlink(missing_ok=True)
            _remove_unused(folder)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that only this lock is in: a refused run leaves nothing behind."""
    if [path.name for path in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        folder.rmdir()


def _holder(folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        holder = json.loads((folder / ".run.json").read_text())
        return f"another run ({holder['name']}, pid {holder['pid']}, started {holder['started']})"
    return "another run"
