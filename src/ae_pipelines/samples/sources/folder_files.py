"""The files below a folder of images: which may be samples, and why others cannot be."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import opened
from ae_pipelines.samples.image_files import format_of

LARGEST = 256 * 2**20
"""Most bytes of a file; larger ones are rejected and not read as a whole."""
NOT_SAMPLES = {"Thumbs.db", "desktop.ini", "__MACOSX"}
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
OTHER_IMAGES = {
    *(".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".psd", ".ico", ".tga", ".exr", ".hdr", ".eps"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".dcm", ".nii"),
}
"""Extensions of images that cannot be read: they are rejected, while other files are passed over."""


@dataclass(frozen=True, slots=True)
class File:
    """A file, by what its folder says of it."""

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

    @property
    def is_other(self) -> bool:
        """Whether neither its name nor its content is an image's."""
        return not (self.is_named_as_image or self.fault or self.unreadable or self._format())

    @property
    def is_named_as_image(self) -> bool:
        return self.path.suffix.lower() in EXTENSIONS.keys() | OTHER_IMAGES

    @property
    def is_linked_folder(self) -> bool:
        """Whether it is a link to a folder, which is not followed."""
        return self.fault is not None and self.path.is_symlink() and self.path.is_dir()

    def misnamed(self) -> bool:
        """Whether it is an image of another format than its name says."""
        found = self._format()
        return found is not None and found != EXTENSIONS.get(self.path.suffix.lower())

    def _format(self) -> str | None:
        try:
            with self.path.open("rb") as file:
                return format_of(file.read(12))
        except OSError:
            return None  # reported when the whole file is read

    def sha256(self) -> str:
        """sha256 of the content; for a link, of the path that it holds."""
        try:
            if self.path.is_symlink():
                return hashlib.sha256(os.fsencode(self.path.readlink())).hexdigest()
            with opened(self.path) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"cannot read {self.id} ({error}): leave the folder unchanged while it is read") from error


def files_below(root: Path, folder: str, labels_file: str) -> Iterator[File]:
    """All files in a folder and below it, in the order of names.

    Links are listed, but not followed; files and folders that may not be read are marked `unreadable`.
    """
    if not is_allowed(root / folder, os.R_OK | os.X_OK):
        yield File(root, folder or ".", None, unreadable=True)
        return
    for entry in sorted(os.listdir(root / folder)):  # noqa: PTH208  names take less memory than paths
        name = f"{folder}/{entry}" if folder else entry
        if passed_over(entry) or name == labels_file:
            continue
        try:
            status = (root / name).lstat()
        except FileNotFoundError:  # gone since the folder was listed
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from files_below(root, name, labels_file)
        elif stat.S_ISLNK(status.st_mode):
            yield File(root, name, "symbolic link, not followed")
        elif stat.S_ISREG(status.st_mode):  # not a pipe, a socket or a device
            fault = "larger than 256 MB" if status.st_size > LARGEST else None
            yield File(root, name, fault, unreadable=not is_allowed(root / name, os.R_OK))


def has_images(root: Path, folder: str) -> bool:
    """Whether there is an image in a folder or below it, or a link with the name of one."""
    found = files_below(root, folder, labels_file="")
    return any(file.is_named_as_image or not (file.fault or file.is_other) for file in found)


def passed_over(entry: str) -> bool:
    """Whether a file or folder is none of the user's own, by its name."""
    return entry.startswith(".") or entry in NOT_SAMPLES


def escaped(name: bytes) -> str:
    r"""A file name as text: each byte that is not UTF-8 as \xff; `unescaped` gives the name back."""
    return re.sub(rb"\\(?=x[0-9a-f]{2})", rb"\\x5c", name).decode("utf-8", "backslashreplace")


def unescaped(text: str) -> bytes:
    """The file name that `escaped` turned into this text."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def is_allowed(path: Path, mode: int) -> bool:
    """As `os.access`, for the user whose rights the process has."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
