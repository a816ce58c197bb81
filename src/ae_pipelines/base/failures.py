"""What to tell of an error of the machine's: a full disk, no memory, a path that cannot be used."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ae_pipelines.base.errors import InputError, caused_by

ROOM = "make room there, or give another data_dir; what is finished stays and is used again"
MEMORY = (
    "give it less at a time, such as a smaller recipe.loader.batch_size or recipe.loader.memory_budget, or fewer "
    "ingest.workers, or more memory; what is finished stays and is used again"
)
READ_ONLY = "it can only be read: make it writable, or give another data_dir"
NOT_ALLOWED = "this user may not do that: change its permissions, or give another place, such as another data_dir"
FOLDER = "a folder belongs there, and a file lies in its place: move that away, or give another path"
FAILING = "the disk fails, or the network that it is on: what is finished stays; start again when it works"
PROCESSES = "too much runs at once: give fewer ingest.workers, or raise the limits that `ulimit -a` shows"

SAID: dict[int, str] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM),
    errno.ENOMEM: MEMORY,
    errno.EROFS: READ_ONLY,
    **dict.fromkeys((errno.EACCES, errno.EPERM), NOT_ALLOWED),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), FOLDER),
    errno.EISDIR: "a file belongs there, and a folder lies in its place: move that away, or give another path",
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP), "give another, shorter path"),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV), FAILING),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EAGAIN), PROCESSES),
}
"""What to do, by the number of an OSError."""
IN_TEXT = {
    re.compile(pattern, re.IGNORECASE): what
    for pattern, what in {
        r"no space left on device|disk is full|disk quota exceeded|\d+ requested and \d+ written": ROOM,
        r"file write failed|unexpected pos \d+": f"if the disk is full, {ROOM}",
        r"allocate memory|unable to allocate|out of memory|bad_?\s?alloc|failed to map segment": MEMORY,
        r"codec configuration error when writing": f"if memory is short, {MEMORY}",  # Pillow's, without memory
        r"readonly database|read-only file system": READ_ONLY,
        r"unable to open database file|permission denied": NOT_ALLOWED,
        r"disk i/o error": FAILING,
        r"database is locked": "another process holds it for long: wait until that has ended, then start again",
        r"can't start new thread": PROCESSES,
    }.items()
}
"""What to do, by what libraries say in errors of their own; the first that fits."""


def refusal_in(error: BaseException) -> InputError | None:
    """The `InputError` that an error is or was caused by, or one that says in a sentence what is wrong with the machine
    and what to do; None for any other error."""
    causes = list(caused_by(error))
    for cause in causes:
        if isinstance(cause, InputError):
            return cause
    for what_to_do in (_by_type, _by_text):
        for cause in reversed(causes):  # the innermost says most exactly what is wrong
            if what := what_to_do(cause):
                first = _said(cause).strip().partition("\n")[0].rstrip(".") or "out of memory"
                return InputError(f"{first}: {what}")
    return None


def _by_type(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return MEMORY
    return SAID.get(error.errno or 0) if isinstance(error, OSError) else None


def _by_text(error: BaseException) -> str | None:
    return next((what for said, what in IN_TEXT.items() if said.search(_said(error))), None)


def _said(error: BaseException) -> str:
    """What an error says; the first of those that copying a folder has collected."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][-1])
    return str(error)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within this block errors of the system that name no path, such as that of a full disk, name this one, also where
    another error came of them."""
    try:
        yield
    except Exception as error:
        for cause in caused_by(error):
            if isinstance(cause, OSError) and cause.filename is None:
                _name(cause, str(path))
        raise


def _name(error: OSError, path: str) -> None:
    if error.errno is not None:
        error.filename = path
    elif error.args and isinstance(error.args[0], str) and path not in error.args[0]:
        error.args = (f"{error.args[0]}: {path!r}", *error.args[1:])  # with a filename, it would say that alone
