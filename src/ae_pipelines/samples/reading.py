"""What goes wrong while a file is read is told as a fault of the file."""

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ae_pipelines.base.errors import InputError

FAULTS = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError, OverflowError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
)
"""What reading a file that is damaged, locked or encrypted raises."""


@contextmanager
def faults_of(file: object, mend: str, faults: tuple[type[Exception], ...] = FAULTS, kind: str = "") -> Iterator[None]:
    """`InputError` for what fails in the block: the file cannot be read (as its kind), and what mends it."""
    try:
        yield
    except InputError:
        raise
    except faults as error:
        raise InputError(f"{file} cannot be read{kind and ' as '}{kind} ({error}): {mend}") from error
