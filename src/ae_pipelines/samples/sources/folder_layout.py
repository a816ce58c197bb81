"""What the folders of an image folder mean: classes, or splits with classes below them, or those with masks beside."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from ae_pipelines.base.errors import InputError, first_of

log = logging.getLogger(__name__)

FolderLayout = Literal["classes", "splits", "mvtec"]
"""classes: <class>/...; splits: train/<class>/... and test/<class>/... (or val/), as torchvision and Keras have it;
mvtec: the same, and ground_truth/... with masks, which are no samples (Bergmann et al. 2019).
Beside splits there may be unlabelled/, with train samples."""
TRAIN, TEST = {"train", "training"}, {"test", "testing"}
VALIDATION = {"val", "valid", "validation", "dev"}
MASKS = {"ground_truth"}
UNLABELLED = {"unlabelled", "unlabeled", "unsorted"}
"""Names of folders, in lower case, whose samples are for training and have no label."""


@dataclass(frozen=True)
class Place:
    """What the folders of a file say about it."""

    label: str | None
    split: str | None
    """None: the split follows from content."""


@dataclass(frozen=True)
class Understood:
    """A layout, and the split that each folder in the root stands for."""

    layout: FolderLayout
    splits: Mapping[str, str | None]
    """By name of the folder; None: the split follows from content."""

    @classmethod
    def looking_at(cls, folders: list[str], given: FolderLayout | None) -> Self:
        """Of the folders in the root that have images, by their names, unless the layout is `given`."""
        kinds = {name: _kind(name) for name in folders}
        layout = given or _layout(set(kinds.values()))
        if layout == "classes":
            return cls(layout, {})
        if "train" not in kinds.values():
            raise InputError(
                f"layout_of_folders={layout} needs a folder train, but those with images are "
                f"{first_of(folders) or 'none'}: rename them, or give layout_of_folders=classes",
                options={"source.layout_of_folders": "classes"},
            )
        if other := sorted(name for name, kind in kinds.items() if kind == "other"):
            raise InputError(
                f"beside train and test there are the folders {first_of(other)}: move them away, or give "
                "layout_of_folders=classes, which reads the first folder as the class",
                options={"source.layout_of_folders": "classes"},
            )
        return cls(layout, {name: _split(kind, set(kinds.values())) for name, kind in kinds.items() if kind != "masks"})

    def place(self, file: str) -> Place | None:
        """Of a file, by its path below the root; None: it is no sample."""
        first, *below = file.split("/")
        if self.layout == "classes":
            return Place(first if below else None, None)
        if not below:
            return Place(None, None)
        if first not in self.splits:
            return None
        if _kind(first) == "unlabelled":
            return Place(None, self.splits[first])
        return Place(below[0] if len(below) > 1 else None, self.splits[first])

    def is_mask(self, file: str) -> bool:
        """Of a file, by its path below the root."""
        return self.layout == "mvtec" and _kind(file.partition("/")[0]) == "masks"

    def masked(self, file: str) -> Iterator[str]:
        """Paths, without extension, of the samples that a file may be the mask of: first by its own name, then by that
        of its folder (Bergmann et al. 2022, MVTec LOCO)."""
        below = re.sub(r"(_mask)?[.][^./]*$", "", file.partition("/")[2])
        tests = [name for name, split in self.splits.items() if split == "test"]
        for name in (below, below.rpartition("/")[0]):
            yield from (f"{test}/{name}" for test in tests)

    def tell_unused(self, labels: str) -> None:
        """Log that folders are not read as they could be, since labels do not come from them."""
        if any(self.splits.values()) or self.layout == "mvtec":
            masks = ", and masks in ground_truth/ become samples" if self.layout == "mvtec" else ""
            log.warning(
                "with source.labels=%s folders have no meaning: splits follow from content, not from %s%s. Give "
                "source.layout_of_folders=%s, or classes if that is right",
                *(labels, ", ".join(f"{name}/" for name in self.splits), masks, self.layout),
            )

    def tell(self) -> None:
        """Log what was understood, where it is more than one class a folder."""
        if self.layout == "classes":
            return
        splits = ", ".join(
            f"{name}/ is {split or 'split by content'}{' without labels' if _kind(name) == 'unlabelled' else ''}"
            for name, split in self.splits.items()
        )
        masks = "; what is in ground_truth/ are masks, no samples" if self.layout == "mvtec" else ""
        log.info(
            "folders are read as splits with classes below them: %s%s (source.layout_of_folders=classes reads the "
            "first folder as the class)",
            *(splits, masks),
        )


def _kind(name: str) -> str:
    kinds = {"train": TRAIN, "test": TEST, "validation": VALIDATION, "masks": MASKS, "unlabelled": UNLABELLED}
    return next((kind for kind, names in kinds.items() if name.casefold() in names), "other")


def _layout(kinds: set[str]) -> FolderLayout:
    if "train" not in kinds or "other" in kinds:
        return "classes"
    return "mvtec" if "masks" in kinds else "splits"


def _split(kind: str, kinds: set[str]) -> str | None:
    """Validation samples are test samples where there are no others; else they are train samples, of which a part is
    held out anyway. Where there is only train, the split follows from content."""
    if kind in ("train", "unlabelled"):
        return "train" if kinds & {"test", "validation"} else None
    return "test" if kind == "test" or "test" not in kinds else "train"
