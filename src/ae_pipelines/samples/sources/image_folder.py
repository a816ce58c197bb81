"""A folder of images, at any depth: PNG, JPEG, GIF, BMP, TIFF and WebP, recognised by content."""

import csv
import hashlib
import logging
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.images import ImageOptions, Size, common_size, format_of, header_size
from ae_pipelines.samples.source import EncodedBlock, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.sources.image_source import ImageSource

log = logging.getLogger(__name__)

FILES_PER_BLOCK = 256
LARGEST = 256 * 2**20
"""Most bytes of a file; larger ones are rejected and not read as a whole."""
NOT_SAMPLES = {"Thumbs.db", "desktop.ini"}
EXTENSIONS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}


@SOURCES.register("image_folder")
class ImageFolder(ImageSource):
    """The images in a folder, sorted by path; no split of their own. Ids are paths below the folder."""

    labels: Literal["none", "folder", "file"] = "none"
    """folder: the first sub-folder is the label, files directly in the root have none; file: a table."""
    labels_file: str = "labels.csv"
    """Path of that table below the root: comma separated, with the columns path and label."""

    @property
    def name(self) -> str:
        return printable_stem(self._folder) or "image_folder"

    def count(self) -> int:
        return self._file_count

    def blocks(self) -> Iterator[EncodedBlock]:
        label_of = self._label_of()
        misnamed = 0
        for files in _batched(self._files(), FILES_PER_BLOCK):
            usable = [file for file in files if not file.fault]
            misnamed += sum(file.misnamed() for file in usable)
            yield EncodedBlock(
                contents=[file.path for file in usable],
                ids=[file.id for file in usable],
                labels=[label_of(file.id) for file in usable],
                rejects=[Reject(file.id, file.sha256(), file.fault) for file in files if file.fault],
            )
        if misnamed:
            log.warning("%d files are images of another format than their names say; read by content", misnamed)

    @cached_property
    def _folder(self) -> Path:
        return Path(os.path.realpath(self.path))

    @cached_property
    def _size(self) -> Size:
        if self._file_count and self.resize and self.size:
            return self.size
        usable = (file for file in self._files() if not file.fault)
        return common_size(((file.id, file.header_size(self)) for file in usable), self)

    def _headers(self) -> Iterator[BinaryIO]:
        for file in self._files():
            if not file.fault:
                with suppress(OSError), file.path.open("rb") as opened:  # reported when the whole file is read
                    yield opened

    @cached_property
    def _file_count(self) -> int:
        """Number of files, after checking that all of them may be read."""
        if not (_is_allowed(self._folder, os.F_OK) and self._folder.is_dir()):
            raise InputError(f"no folder {self._folder}: give the one that holds the images, source.path=<folder>")
        count, unreadable = 0, list[str]()
        for file in self._files():
            count += 1
            if file.unreadable:
                unreadable.append(file.id)
        if unreadable:
            raise InputError(
                f"{len(unreadable)} files or folders in {self._folder} may not be read: "
                f"{first_of(unreadable)}. Make them readable, or move them away"
            )
        if not count:
            raise NothingThere(f"no files in {self._folder}: give the folder with the images, source.path=<folder>")
        return count

    def _files(self) -> Iterator["_File"]:
        """Everything below the folder that may be a sample, in the order of names; not held in memory."""
        return _files_below(self._folder, "", self.labels_file)

    def _label_of(self) -> Callable[[str], str | None]:
        """A function from an id to its label."""
        if self.labels == "folder":
            return lambda name: sys.intern(name.split("/")[0]) if "/" in name else None
        if self.labels == "none":
            return lambda name: None
        path, ids = self._folder / self.labels_file, {file.id for file in self._files()}
        labels = read_labels(path)
        if without := sorted(ids - labels.keys()):
            log.warning("%d of %d files have no label in %s: %s", len(without), len(ids), path, first_of(without))
        if gone := sorted(labels.keys() - ids):
            log.warning("%d files with a label in %s are not there: %s", len(gone), path, first_of(gone))
        return labels.get


@dataclass(frozen=True, slots=True)
class _File:
    root: Path
    name: str
    """Path below the root, as the file system gives it."""
    fault: str | None
    """Why it cannot be a sample, as far as the listing shows."""
    unreadable: bool = False
    """Whether it may not be read."""

    @property
    def id(self) -> str:
        return escaped(os.fsencode(self.name))

    @property
    def path(self) -> Path:
        return self.root / self.name

    def misnamed(self) -> bool:
        """Whether it is an image of another format than its name says."""
        try:
            with self.path.open("rb") as file:
                found = format_of(file.read(12))
        except OSError:
            return False  # reported when the whole file is read
        return found is not None and found != EXTENSIONS.get(self.path.suffix.lower())

    def header_size(self, options: ImageOptions) -> Size | None:
        try:
            with self.path.open("rb") as file:
                return header_size(file, options)
        except OSError:
            return None

    def sha256(self) -> str:
        """sha256 of the content; for a link, of the path that it holds."""
        try:
            if self.path.is_symlink():
                return hashlib.sha256(os.fsencode(self.path.readlink())).hexdigest()
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"cannot read {self.id} ({error}): leave the folder unchanged while it is read") from error


def _files_below(root: Path, folder: str, labels_file: str) -> Iterator[_File]:
    """Links are listed, but not followed; files and folders that may not be read are marked `unreadable`."""
    if not _is_allowed(root / folder, os.R_OK | os.X_OK):
        yield _File(root, folder or ".", None, unreadable=True)
        return
    for entry in sorted(os.listdir(root / folder)):  # noqa: PTH208  names take less memory than paths
        name = f"{folder}/{entry}" if folder else entry
        if entry.startswith(".") or entry in NOT_SAMPLES or name == labels_file:
            continue
        try:
            status = (root / name).lstat()
        except FileNotFoundError:  # gone since the folder was listed
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _files_below(root, name, labels_file)
        elif stat.S_ISLNK(status.st_mode):
            yield _File(root, name, "symbolic link, not followed")
        elif stat.S_ISREG(status.st_mode):  # not a pipe, a socket or a device
            fault = "larger than 256 MB" if status.st_size > LARGEST else None
            yield _File(root, name, fault, unreadable=not _is_allowed(root / name, os.R_OK))


def escaped(name: bytes) -> str:
    r"""A file name as text: each byte that is not UTF-8 as \xff; `unescaped` gives the name back."""
    return re.sub(rb"\\(?=x[0-9a-f]{2})", rb"\\x5c", name).decode("utf-8", "backslashreplace")


def unescaped(text: str) -> bytes:
    """The file name that `escaped` turned into this text."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def read_labels(path: Path) -> dict[str, str]:
    """The label of each path in a table with the columns path and label; rows with an empty label are left out."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise csv.Error("it has NUL characters")
        rows = list(csv.reader(StringIO(text, newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"labels: cannot read {path} ({error}): expected UTF-8, comma separated") from error
    columns = rows[0] if rows else []
    if columns.count("path") != 1 or columns.count("label") != 1:
        found = first_of(columns) or "none"
        raise InputError(f"labels: {path} has the columns {found}, expected one path and one label")
    rows = [row for row in rows[1:] if row]
    if misfits := [row for row in rows if len(row) != len(columns)]:
        raise InputError(
            f"labels: {len(misfits)} rows of {path} have more or fewer than {len(columns)} fields, "
            f"first: {misfits[0]}. Put names with a comma in quotes"
        )
    name, label = columns.index("path"), columns.index("label")
    if repeated := [file for file, count in Counter(row[name] for row in rows).items() if count > 1]:
        raise InputError(f"labels: {path} lists {len(repeated)} files more than once: {first_of(repeated)}")
    return {row[name]: row[label] for row in rows if row[label]}


def _batched(files: Iterator[_File], size: int) -> Iterator[list[_File]]:
    """As itertools.batched, which Python 3.11 lacks."""
    while batch := list(islice(files, size)):
        yield batch


def _is_allowed(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
