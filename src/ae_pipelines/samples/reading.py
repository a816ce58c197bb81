"""Reports errors while a file is read as faults of the file."""

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
"""Exceptions raised by reading a file that is damaged, locked or encrypted."""


@contextmanager
def faults_of(file: object, fix: str, faults: tuple[type[Exception], ...] = FAULTS, kind: str = "") -> Iterator[None]:
    """`InputError` for any failure in the block: the file cannot be read (as its kind), and how to fix it."""
    try:
        yield
    except InputError:
        raise
    except faults as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file} cannot be read{kind and ' as '}{kind} ({reason}): {fix}") from error
