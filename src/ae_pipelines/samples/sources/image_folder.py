"""A folder of images, at any depth: PNG, JPEG, GIF, BMP, TIFF and WebP, recognised by content."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.masks import MaskDecoder
from ae_pipelines.samples.source import EncodedBlock, Reject
from ae_pipelines.samples.sources import SOURCES, printable_stem
from ae_pipelines.samples.sources.folder_files import EXTENSIONS, File, files_below, has_images, is_allowed, passed_over
from ae_pipelines.samples.sources.folder_layout import FolderLayout, Understood
from ae_pipelines.samples.sources.image_source import ImageSource
from ae_pipelines.samples.sources.label_file import matched, read_labels

log = logging.getLogger(__name__)

FILES_PER_BLOCK = 256
SHALLOW = {"JPEG", "GIF", "BMP", "WEBP"}
"""Formats without 16-bit grey, as we read them."""


@SOURCES.register("image_folder")
class ImageFolder(ImageSource):
    """The images in a folder, sorted by path. Ids are paths below the folder.

    Files that are images neither by name nor by content are passed over.
    """

    labels: Literal["none", "folder", "file"] = "none"
    """folder: as `layout_of_folders` says; file: a table."""
    labels_file: str = "labels.csv"
    """Path of that table below the root, with the columns path and label."""
    layout_of_folders: FolderLayout | None = None
    """What folders mean; None: with labels=folder as their names say, else nothing."""

    @property
    def name(self) -> str:
        return printable_stem(self._folder) or "image_folder"

    def count(self) -> int:
        return self._file_count

    def blocks(self) -> Iterator[EncodedBlock]:
        label_of = self._label_of()
        misnamed = 0
        self._layout.tell()
        if self.labels != "folder" and self.layout_of_folders is None:
            Understood.looking_at(self._folders, None).tell_unused(self.labels)
        for files in _batched(self._files(), FILES_PER_BLOCK):
            usable = [file for file in files if not file.fault]
            misnamed += sum(file.misnamed() for file in usable)
            yield EncodedBlock(
                contents=[file.path for file in usable],
                ids=[file.id for file in usable],
                labels=[label_of(file.id) for file in usable],
                splits=self._splits([file.id for file in usable]),
                rejects=[Reject(file.id, file.sha256(), file.fault) for file in files if file.fault],
            )
        if misnamed:
            log.warning("%d files are images of another format than their names say; read by content", misnamed)

    @property
    def decode_mask(self) -> MaskDecoder:
        return MaskDecoder(self, self._looked.size)

    def masks(self) -> Iterator[tuple[str | None, Path]]:
        """What is in ground_truth/, each for the sample with the same name, or that name and _mask, or that of its
        folder."""
        if self._layout.layout != "mvtec":
            return
        samples = {os.path.splitext(file.id)[0]: file.id for file in self._files()}  # noqa: PTH122
        for file in files_below(self._folder, "", self.labels_file):
            if not self._layout.is_mask(file.id):
                continue
            if file.fault and file.is_named_as_image:
                raise InputError(f"the mask {file.path} cannot be used ({file.fault}): mend it, or move it away")
            if not file.fault and not file.is_other:
                masked = (samples[name] for name in self._layout.masked(file.id) if name in samples)
                yield next(masked, None), file.path

    @cached_property
    def _layout(self) -> Understood:
        if self.labels != "folder" and self.layout_of_folders is None:
            return Understood("classes", {})
        return Understood.looking_at(self._folders, self.layout_of_folders)

    @property
    def _folders(self) -> list[str]:
        """Names of the folders in the root that have images."""
        entries = [entry for entry in self._folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
        names = sorted(entry.name for entry in entries if not passed_over(entry.name))
        return [name for name in names if has_images(self._folder, name)]

    def _splits(self, ids: list[str]) -> list[str] | None:
        """None: they follow from content."""
        if not any(self._layout.splits.values()):
            return None
        places = [self._layout.place(name) for name in ids]
        return [place.split or "train" if place else "train" for place in places]

    @cached_property
    def _folder(self) -> Path:
        return Path(os.path.realpath(self.path))

    def _headers(self, needed: bool) -> Iterator[tuple[str, BinaryIO | None]]:
        if not self._file_count:
            return
        for file in self._files():
            if file.fault:
                continue
            if needed or EXTENSIONS.get(file.path.suffix.lower()) not in SHALLOW:
                with suppress(OSError), file.path.open("rb") as opened:  # reported when the whole file is read
                    yield file.id, opened
            else:
                yield file.id, None

    @cached_property
    def _file_count(self) -> int:
        """Number of files, after checking that all of them may be read."""
        if not (is_allowed(self._folder, os.F_OK) and self._folder.is_dir()):
            raise InputError(f"no folder {self._folder}: give the one that holds the images, source.path=<folder>")
        count, unreadable, others, linked = 0, list[str](), list[str](), list[str]()
        for file in files_below(self._folder, "", self.labels_file):
            if file.unreadable:
                unreadable.append(file.id)
            elif file.is_other:
                others.append(file.id)
            else:
                count += self._layout.place(file.id) is not None
                linked += [file.id] * file.is_linked_folder
        if unreadable:
            raise InputError(
                f"{len(unreadable)} files or folders in {self._folder} may not be read: "
                f"{first_of(unreadable)}. Make them readable, or move them away"
            )
        if linked:
            log.warning(
                "folders that are links are not followed, so what is in them is left out: %s. Move or copy them here",
                first_of(linked),
            )
        if others:
            log.info("passed over, since they are images neither by name nor by content: %s", first_of(others))
        if not count:
            raise NothingThere(f"no images in {self._folder}: give the folder with the images, source.path=<folder>")
        return count

    def _files(self) -> Iterator[File]:
        """Everything below the folder that may be a sample, in the order of names; not held in memory."""
        found = files_below(self._folder, "", self.labels_file)
        return (file for file in found if not file.is_other and self._layout.place(file.id))

    def _label_of(self) -> Callable[[str], str | None]:
        """A function from an id to its label."""
        if self.labels == "folder":
            return self._label_by_folder
        if self.labels == "none":
            return lambda name: None
        path = self._folder / self.labels_file
        return matched(path, read_labels(path), (file.id for file in self._files()), self._folder).get

    def _label_by_folder(self, name: str) -> str | None:
        place = self._layout.place(name)
        return sys.intern(place.label) if place and place.label else None


def _batched(files: Iterator[File], size: int) -> Iterator[list[File]]:
    """As itertools.batched, which Python 3.11 lacks."""
    while batch := list(islice(files, size)):
        yield batch
