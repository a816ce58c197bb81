"""The scoreboard itself: every recipe, seed and task once, kept on disk, so that it is taken up where it was."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

import ae_pipelines
from ae_pipelines.base import atomic, progress, seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, first_of, suggestion
from ae_pipelines.base.options import Options
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison.scoreboard.encoders import (
    LATENTS,
    Patches,
    PrincipalComponents,
    RawValues,
    ScoreboardEncoder,
    Trained,
    Untrained,
    of_labels,
    on_its_own,
)
from ae_pipelines.comparison.scoreboard.tasks import ScoreboardTask, TaskChoice, tasks
from ae_pipelines.latents.file import Latents, LatentsFile
from ae_pipelines.latents.stream import LatentStream
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

log = logging.getLogger(__name__)

MEASURED_BY = ("encoder", "control", "latent_size", "task", "metric", "transductive")
"""Columns of the table beside `mean`, `sd`, `seeds`, `seconds`, `rows` and `best_control`."""
LESS_IS_BETTER = ("mse", "error", "seconds")
"""Beginnings of the names of metrics of which lower values are better."""


DEFAULT_TASKS = {
    "reconstruction": TaskChoice(kind="reconstruction"),
    "groups": TaskChoice(kind="cluster"),
    "classifier": TaskChoice(kind="classify"),
    "five_nearest": TaskChoice(kind="classify", by={"kind": "knn"}),
    "few_labels": TaskChoice(kind="few_labels"),
    "neighbours": TaskChoice(kind="neighbours"),
}


class Entry(Options):
    """A recipe on the board."""

    recipe: Recipe
    tasks: list[str] | None = None
    """Its tasks, by name; None: all."""


class ScoreboardOptions(Options):
    """What is compared, on which tasks and with which seeds."""

    recipes: dict[str, Entry]
    """Entries by their name on the board. In configuration a name, or a list of names, is enough, or in its place a
    `space`, by name or whole: each combination of its values is an entry of the chosen recipe."""
    tasks: dict[str, TaskChoice] = DEFAULT_TASKS
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    controls: bool = True
    """Whether raw values, PCA and, for images, patches with as many latents, and the untrained encoder stand beside
    each recipe."""
    control_seeds: list[Annotated[int, Field(ge=0)]] | None = None
    """Seeds of the controls, which vary less; None: the same."""

    def check(self) -> None:
        """`InputError` if a recipe or a task is inconsistent."""
        for choice in self.tasks.values():
            choice.check()
        for entry in self.recipes.values():
            on_its_own(entry.recipe).check()
            entry.recipe.check_ability("encode", "scoreboard")
            for name in entry.tasks or ():
                if name not in self.tasks:
                    raise InputError(f"scoreboard: no task called {name!r}; {suggestion(name, sorted(self.tasks))}")
        self._check_order()
        self._check_seeds()

    def _check_order(self) -> None:
        """`InputError` if two names make one folder, or a recipe uses one that does not come before it."""
        folders: list[str] = []
        for name, entry in self.recipes.items():
            if (folder := atomic.file_name(name)) in folders:
                raise InputError(f"scoreboard: {name!r} and another recipe would share the folder {folder}: rename one")
            for other in Trained(name, entry.recipe).stands_on():
                if other not in folders:
                    raise InputError(
                        f"scoreboard: {name} uses the latents of {other}, which does not come before it: list "
                        f"{other} first; before {name} there are {first_of(folders) or 'none'}"
                    )
            folders.append(folder)

    def _check_seeds(self) -> None:
        if unknown := sorted({*(self.control_seeds or ())} - {*self.seeds}):
            raise InputError(f"scoreboard.control_seeds: {unknown} are not among the seeds {self.seeds}: add them")

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if the samples do not suit a task or a recipe."""
        built = tasks(self.tasks)
        for entry in self.recipes.values():
            own = [built[name] for name in entry.tasks or built]
            for task in own:
                task.check_samples(samples)
            recipe = on_its_own(entry.recipe)
            recipe.check_samples(samples)
            if any(task.teaches for task in own):
                for name in samples.classes():
                    of_labels(recipe, (name,)).check_samples(samples)


@dataclass(frozen=True)
class Cell:
    """One encoder, trained with one seed, and its tasks."""

    encoder: ScoreboardEncoder
    seed: int
    tasks: dict[str, ScoreboardTask]
    folder: Path

    @property
    def title(self) -> str:
        """Its encoder's name on the board, which says where it was trained, if not here."""
        elsewhere = isinstance(self.encoder, Trained) and self.encoder.starts_elsewhere
        return f"{self.encoder.name} (trained elsewhere)" if elsewhere else self.encoder.name

    def key(self, samples: Samples, normal_labels: tuple[str, ...] = ()) -> str:
        """Hash of everything that its latents depend on."""
        described = self.encoder.description(self.folder.parent)
        return canonical_sha256([samples.id, described, self.seed, normal_labels, ae_pipelines.__version__])


def scores(samples: Samples, options: ScoreboardOptions, folder: Path, run: Run = NO_RUN) -> pd.DataFrame:
    """A row for each encoder, task and metric, with `mean` and standard deviation `sd` over seeds (none for one), the
    number of `seeds`, mean `seconds` of training (for what is trained), the number of `rows` that the task judges by,
    which bounds how certain a number is whatever the seeds say, and whether it is the `best_control` at this.

    What is finished in `folder` is not done again, and a killed training is taken up. Each encoder and seed is a part
    of `run`.
    """
    rows: list[dict[str, Any]] = []
    cells = list(_cells(samples, options, folder))
    with progress.Steps(len(cells), "scoreboard", "encoder") as steps:
        for cell in cells:
            about = {"encoder": cell.encoder.name, "seed": cell.seed}
            with run.part(f"{cell.encoder.name} · seed {cell.seed}", about) as part:
                found = list(_rows(samples, cell, options, part))
                part.report({f"{row['task']}/{row['metric']}": row["value"] for row in found}, 0)
            rows += found
            steps.advance(1)
    judged = {name: task.judged_rows(samples) for name, task in tasks(options.tasks).items()}
    table = _summary(pd.DataFrame(rows))
    return table.assign(rows=table["task"].map(judged), best_control=best_controls(table))


def best_controls(table: pd.DataFrame) -> pd.Series:
    """Of each row whether it is the control with the best mean of this task and metric: what a recipe has to beat."""
    less = table["metric"].str.startswith(LESS_IS_BETTER)
    values = table["mean"].where(~less, -table["mean"]).where(table["control"])
    return (values == values.groupby([table["task"], table["metric"]]).transform("max")) & table["control"]


def _cells(samples: Samples, options: ScoreboardOptions, folder: Path) -> Iterator[Cell]:
    """Each recipe before its controls; a control that serves several recipes comes once, with all their tasks."""
    built = tasks(options.tasks)
    for seed in options.seeds:
        wanted: dict[str, tuple[ScoreboardEncoder, dict[str, ScoreboardTask]]] = {}
        for name, entry in options.recipes.items():
            own = {task: built[task] for task in entry.tasks or built}
            for encoder in [Trained(name, entry.recipe), *_controls(samples, name, entry, own, options, seed)]:
                wanted.setdefault(encoder.name, (encoder, {}))[1].update(_suitable(encoder, own))
        for encoder, its_tasks in wanted.values():
            yield Cell(encoder, seed, its_tasks, folder / f"seed-{seed}" / atomic.file_name(encoder.name))


def _controls(
    samples: Samples, name: str, entry: Entry, own: dict[str, ScoreboardTask], options: ScoreboardOptions, seed: int
) -> list[ScoreboardEncoder]:
    seeds = options.seeds if options.control_seeds is None else options.control_seeds
    if not options.controls or seed not in seeds:
        return []
    size = _vector_size(entry.recipe.model.check())
    components = {size, *(task.components for task in own.values() if task.components)}
    more: list[ScoreboardEncoder] = [PrincipalComponents(count) for count in sorted(components)]
    patches = Patches.suiting(samples, size, one_class=any(task.teaches for task in own.values()))
    more += [] if patches is None else [patches]
    return [RawValues(), *more, Untrained(f"{name}, untrained", entry.recipe)]


def _vector_size(options: dict[str, Any]) -> int:
    """How many numbers the vectors have, of a method's options; fewer where maps have not as many."""
    if parts := options.get("parts"):
        return sum(_vector_size(part.check()) for part in parts)
    net = options.get("net")
    of_maps = "vector_size" in options and net is not None and net.build().latent == "map"
    return int(options["vector_size" if of_maps else "latent_size"])


def _suitable(encoder: ScoreboardEncoder, own: dict[str, ScoreboardTask]) -> dict[str, ScoreboardTask]:
    """The tasks without those for which an encoder would have to learn, if this one learns nothing."""
    return {name: task for name, task in own.items() if encoder.learns or not task.teaches}


def _rows(samples: Samples, cell: Cell, options: ScoreboardOptions, run: Run) -> Iterator[dict[str, Any]]:
    encodings = _Encodings(samples, cell, run)
    for name, task in cell.tasks.items():
        key = canonical_sha256([cell.key(samples), options.tasks[name].described()])
        result = _made_once(cell.folder / f"{name}.json", key, partial(_result, task, encodings, cell.seed))
        about = {
            "encoder": cell.title,
            "control": cell.encoder.control,
            "latent_size": result["latent_size"],
            "task": name,
            "transductive": task.transductive,
            "seconds": result["training_seconds"],
            "seed": cell.seed,
        }
        yield from ({**about, "metric": metric, "value": value} for metric, value in result["metrics"].items())


class _Encodings:
    """The latents of a cell, made once and then found on disk."""

    def __init__(self, samples: Samples, cell: Cell, run: Run) -> None:
        self._samples, self._cell, self._run = samples, cell, run
        self.classes = samples.classes()
        self.used: dict[tuple[str, ...], LatentsFile] = {}
        """Files used since it was last emptied, by normal labels."""

    def latents(self, normal_labels: tuple[str, ...] = ()) -> Latents:
        """Latents by the encoder that has learned only from samples with these labels; from all, if none are given."""
        if normal_labels not in self.used:
            self.used[normal_labels] = self._file(normal_labels)
        return self.used[normal_labels]

    def _file(self, normal_labels: tuple[str, ...]) -> LatentsFile:
        samples, cell = self._samples, self._cell
        key = cell.key(samples, normal_labels)
        folder = (
            cell.folder / "-".join(["normal", *map(atomic.file_name, normal_labels)]) if normal_labels else cell.folder
        )
        path = folder / LATENTS
        if not (path.exists() and LatentsFile(path).metadata.get("scoreboard_key") == key):
            about = f", normal: {first_of(normal_labels)}" if normal_labels else ""
            log.info("scoreboard: %s, seed %d%s", cell.encoder.name, cell.seed, about)
            stream = cell.encoder.stream(samples, cell.seed, normal_labels, folder, self._run)
            LatentStream(stream.ids, stream.blocks, stream.metadata | {"scoreboard_key": key}).into(path)
        return LatentsFile(path)


def _result(task: ScoreboardTask, encodings: _Encodings, seed: int) -> dict[str, Any]:
    """Metrics of a task, with the size of the latents that it used and the seconds of their training."""
    encodings.used.clear()
    metrics = task(encodings, seed)
    files = encodings.used.values()
    seconds = [float(file.metadata["training_seconds"]) for file in files if "training_seconds" in file.metadata]
    size = next(iter(files)).size
    return {"metrics": metrics, "latent_size": size, "training_seconds": sum(seconds) if seconds else None}


def _made_once(path: Path, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    seals.check(path, "remove it, and run scoreboard again", stages=("scoreboard",))
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["key"] == key:
            return kept
    made = {"key": key, **make()}
    seals.write_text(path, json.dumps(made, indent=2))
    return made


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    if not len(rows):
        raise InputError("scoreboard: none of the tasks gave a number with these encoders: give other tasks")
    groups = rows.groupby(list(MEASURED_BY), sort=False)
    table = groups["value"].agg(mean="mean", sd="std", seeds="count")
    table["seconds"] = groups["seconds"].agg(lambda seconds: seconds.astype(float).mean())
    return table.reset_index()


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The table as rows of plain data, with None for NaN."""
    return [
        {str(name): None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]
