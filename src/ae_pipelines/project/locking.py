"""One run at a time in a data folder."""

import atexit
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError
from ae_pipelines.project.run_name import pipeline_of

LOCK = ".run.lock"
ANOTHER = {"data_dir": "..."}
"""The option that names a data folder."""


class Taken(InputError):  # noqa: N818
    """Another run works in the data folder."""


class LockHook:
    """One run at a time in a data folder; a second one ends at once."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._folder = Path()
        atexit.register(self._held.close)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._held.close()  # an earlier session in this process may have been interrupted
        self._folder = context.project_path / context.config_loader.data_dir  # type: ignore[attr-defined]

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        self._held.enter_context(only_run(self._folder, pipeline_of(run_params)))

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        self._held.close()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        self._held.close()


@contextmanager
def only_run(folder: Path, name: str) -> Iterator[None]:
    """Within this block no other run works in `folder`; `Taken` at once if one does, naming its process and start.

    The system lets go of the lock when the process ends, however it ends.
    """
    try:
        lock = _locked(folder)
    except filelock.Timeout as error:
        raise Taken(
            f"{_holder(folder)} works in {folder.resolve()}: wait until it has ended, or give another data_dir",
            options=ANOTHER,
        ) from error
    except OSError as error:
        raise InputError(f"cannot write in {folder}: {error}; give another data_dir", options=ANOTHER) from error
    with lock:
        holder = {"pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S %z"), "name": name}
        try:
            atomic.write_text(folder / ".run.json", json.dumps(holder))
            yield
        finally:
            (folder / ".run.json").unlink(missing_ok=True)
            _remove_unused(folder)


def _locked(folder: Path, tries: int = 100) -> Any:
    """The lock of a folder that is made for it; again, where a run that ends has removed it in between."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / LOCK).acquire(timeout=0)
    except (FileNotFoundError, FileExistsError):
        if not tries:
            raise
        return _locked(folder, tries - 1)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that only this lock is in: a refused run leaves nothing behind."""
    if [path.name for path in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        with suppress(OSError):  # the next run is there already
            folder.rmdir()


def _holder(folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        holder = json.loads((folder / ".run.json").read_text())
        return f"another run ({holder['name']}, pid {holder['pid']}, started {holder['started']})"
    return "another run"
