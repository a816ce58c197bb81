"""Images restored, measured beside what needs no training, and written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base import atomic, progress
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.restoration import quality
from ae_pipelines.restoration.baselines import baselines
from ae_pipelines.restoration.given import Given, LeftOut, Source, given
from ae_pipelines.restoration.naming import FreeNames
from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.restoration.refusals import refuse_other_task, refuse_own_output
from ae_pipelines.restoration.shown import Middle, Shown
from ae_pipelines.restoration.written import as_written, save
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

log = logging.getLogger(__name__)

SHOWN = 8
"""Images in the picture."""
TOGETHER = 2**20
"""Images of one size are given to the model together as soon as they have this many values."""
IN_PLACES = {"watermark", "patches"}
"""Corruptions of only some pixels, inside and outside which errors are measured."""
CORRUPTED = "_corrupted"
"""Folder, below the one that is written, of the images that were corrupted here."""


@dataclass(frozen=True)
class Restored:
    """What was restored, and how well."""

    recipe: str
    """Recipe of the model."""
    table: pd.DataFrame
    """A row for each image: path below the folder, height and width (pixels, of what was written), psnr and ssim, also
    of each baseline, and why it was left out; empty where there is no clean image."""
    shown: list[Shown]
    baselines: list[str]

    @property
    def metrics(self) -> dict[str, float]:
        """Means over the images whose clean one is known, of a baseline only if it could take all of these; for marks
        and holes also the share of the squared error inside that was removed."""
        numbers = self.table.drop(columns=["path", "height", "width", "left_out"]).astype(float)
        numbers = numbers.loc[:, numbers.notna().sum() == numbers["psnr"].notna().sum()]
        found = {str(name): float(value) for name, value in numbers.mean().items() if np.isfinite(value)}
        if before := found.get("identity_inside_error"):
            found["removed_inside"] = 1 - found["inside_error"] / before
        left_out = int(self.table["left_out"].notna().sum())
        return found | {"images": float(len(self.table) - left_out), "left_out": float(left_out)}

    @property
    def best_baseline(self) -> str:
        """Name of the baseline with the highest mean PSNR; of the first if nothing is known."""
        means = self.metrics
        return max(self.baselines, key=lambda name: means.get(f"{name}_psnr", -np.inf))


@contextmanager
def restored(
    trained: TrainedModel, samples: Samples, recipe: Recipe, options: RestoreOptions, folder: Path
) -> Iterator[Restored]:
    """Restore what `options` say and write it into `folder` when the block ends without error, whole or not at all: PNG
    files of the given images' own size (times what the model enlarges by), upright, with their alpha channels and
    colour profiles."""
    refuse_other_task(trained, recipe, samples)
    refuse_own_output(options, folder)
    count, source = given(options, trained, samples, folder)
    work = _Work(trained, samples, keeps_corrupted=options.corrupt or options.input is None, count=count)
    with atomic.replacing_folder(folder) as temporary:
        with progress.Steps(count, "restore", "image") as steps:
            for group in work.alike(source):
                for image, made in zip(group, work.restored(group), strict=True):
                    work.keep(image, made, temporary)
                    steps.advance(1)
        work.refuse_if_nothing(options)
        yield Restored(trained.contract.recipe, _table(work.rows + work.left_out), work.shown, list(work.controls))


class _Work:
    """Images that are restored one after another, and what is kept of each."""

    def __init__(self, trained: TrainedModel, samples: Samples, *, keeps_corrupted: bool, count: int) -> None:
        self._trained, self._keeps_corrupted = trained, keeps_corrupted
        self._times = trained.contract.task.enlargement
        self._kinds = {choice["kind"] for choice in trained.contract.corruptions}
        self._picked = set(np.linspace(0, count - 1, SHOWN).astype(int))
        self._names = FreeNames(".png", [CORRUPTED] if keeps_corrupted else [])
        self.controls = baselines(trained, samples)
        self.rows: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []
        self.shown: list[Shown] = []

    def alike(self, source: Source) -> Iterator[list[Given]]:
        """Consecutive images of one size, some at a time."""
        group: list[Given] = []
        for image in source:
            if isinstance(image, LeftOut):
                log.warning("left out %s: %s", image.name, image.reason)
                self.left_out.append({"path": image.name, "left_out": image.reason})
                continue
            if group and group[0].corrupted.shape != image.corrupted.shape:
                yield group
                group = []
            group.append(image)
            if len(group) * image.corrupted.size >= TOGETHER:
                yield group
                group = []
        if group:
            yield group

    def restored(self, group: list[Given]) -> np.ndarray:
        return as_written(self._trained.restore(np.stack([image.corrupted for image in group])))

    def keep(self, image: Given, made: np.ndarray, folder: Path) -> None:
        """Measure, write, and show what was made of an image."""
        clean = image.clean
        if clean is not None and clean.shape != made.shape:
            log.warning("%s: the clean image has shape %s, not %s", image.name, clean.shape, made.shape)
            clean = None
        controls = {} if clean is None else self._control_images(image.corrupted, clean)
        if len(self.rows) in self._picked:
            self.shown.append(self._column(image.corrupted, made, clean, controls))
        path = f"{self._names.free(image.name)}.png"
        measured = {} if clean is None else self._measures({"": made, **controls}, clean, image.corrupted)
        self.rows.append({"path": path, "height": made.shape[1], "width": made.shape[2], **measured})
        save(folder / path, made, image.alpha, image.profile)
        if self._keeps_corrupted:
            save(folder / CORRUPTED / path, as_written(image.corrupted), image.alpha, image.profile)

    def refuse_if_nothing(self, options: RestoreOptions) -> None:
        if not self.rows:
            reasons = first_of([f"{row['path']} ({row['left_out']})" for row in self.left_out])
            raise InputError(
                f"restore.input: none of {len(self.left_out)} files in {options.input} is an image that can be used: "
                f"{reasons}"
            )

    def _control_images(self, corrupted: np.ndarray, clean: np.ndarray | None) -> dict[str, np.ndarray]:
        made = {name: control(corrupted, clean) for name, control in self.controls.items()}
        return {name: as_written(image) for name, image in made.items() if image is not None}

    def _column(
        self, corrupted: np.ndarray, made: np.ndarray, clean: np.ndarray | None, controls: dict[str, np.ndarray]
    ) -> Shown:
        """The image's column of the picture; controls that are only shown are made from its middle alone."""
        middle, times = Middle.of(corrupted, self._times), self._times
        part = middle.cut(corrupted)
        if clean is None:
            return Shown(as_written(part), self._control_images(part, None), middle.cut(made, times), None)
        controls = {name: middle.cut(image, times) for name, image in controls.items()}
        return Shown(as_written(part), controls, middle.cut(made, times), middle.cut(clean, times))

    def _measures(self, images: dict[str, np.ndarray], clean: np.ndarray, corrupted: np.ndarray) -> dict[str, float]:
        """Quality of each image, by its name and that of the measure."""
        return {
            f"{name}_{measure}".lstrip("_"): value
            for name, image in images.items()
            for measure, value in self._quality(image, clean, corrupted).items()
        }

    def _quality(self, image: np.ndarray, clean: np.ndarray, corrupted: np.ndarray) -> dict[str, float]:
        found = {"psnr": quality.psnr(image, clean), "ssim": quality.ssim(image, clean)}
        if "greyscale" in self._kinds:
            found["chroma_psnr"] = quality.chroma_psnr(image, clean)
            found["chroma_error"] = quality.chroma_error(image, clean)
        if self._kinds & IN_PLACES and corrupted.shape == clean.shape:
            found |= quality.by_place(image, clean, corrupted)
        return found


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a table, with the columns that every table has first."""
    first = ["path", "height", "width", "left_out", "psnr", "ssim"]
    table = pd.DataFrame(rows)
    table = table.reindex(columns=[*first, *(name for name in table if name not in first)])
    return table.astype({"height": "Int32", "width": "Int32", "psnr": float, "ssim": float, "left_out": "string"})
