"""What the winner of a study is worth: it and the recipe as it was, trained again with fresh seeds."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_processes
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison.scoreboard.board import Entry, ScoreboardOptions, scores
from ae_pipelines.comparison.scoreboard.tasks import TaskChoice
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION, Found, Study
from ae_pipelines.tuning.trial import Asked, Common, Outcome, do, on_one_thread, recipe_of
from ae_pipelines.tuning.verdict import verdict

log = logging.getLogger(__name__)

TASKS = {
    "classify": TaskChoice(kind="classify"),
    "few_labels": TaskChoice(kind="few_labels", by={"kind": "logistic_regression", "few_labels": [100]}),
    "reconstruction": TaskChoice(kind="reconstruction"),
}
"""What test rows are opened for."""
COLUMNS = ["who", "rows", "metric", "mean", "sd", "seeds"]
FINAL, WHOLE = "final", "whole"
"""Folders of a study: what was trained again on its samples, and on all."""
SEED, WORKERS = "training.seed", "tune.workers"


@dataclass(frozen=True)
class Contestant:
    """A recipe that is trained again."""

    who: str
    number: int
    """Of its trial."""
    values: dict[str, Any]
    """In which it differs from the recipe as it was, by path."""
    recipe: Recipe


def found(
    samples: Samples,
    study_samples: Samples,
    recipe: Recipe,
    study: Study,
    options: TuneOptions,
    folder: Path,
    run: Run = NO_RUN,
) -> Found:
    """The winner of a study beside the recipe as it was, each trained with `options.final_seeds` fresh seeds: on
    `study_samples`, as trials are, and judged by the objectives of the study; then on all of the train split of
    `samples`, whose test split is opened for these two alone. A recipe that fails with one of these seeds is not
    trained on all.

    What is finished in `folder`, where the study is, is not done again, and a killed training is taken up. `InputError`
    if no trial was complete.
    """
    both, seeds = list(_contestants(study, recipe)), fresh_seeds(recipe, options.final_seeds)
    own = folder / study.id
    outcomes = {one.who: _again(one, seeds, study_samples, recipe, study, options, own / FINAL, run) for one in both}
    rows = list(_judged(outcomes, study.objectives))
    lasting = [one for one in both if all(outcome.state == "complete" for outcome in outcomes[one.who])]
    rows += _tested(samples, lasting, seeds, own / WHOLE, options.workers, run)
    compared = pd.DataFrame(rows, columns=COLUMNS)
    failed = [outcome for each in outcomes.values() for outcome in each if outcome.state != "complete"]
    winner = both[-1].number
    return Found(study, winner, compared, verdict(study, winner, compared, failed))


def winner_of(study: Study) -> int:
    """The number of the best trial; with several objectives, of those on the Pareto front the best in the first.
    `InputError` if no trial was complete."""
    best, values = set(study.best()), study.objectives[0]
    sign = 1 if study.higher_is_better[0] else -1
    front = [outcome for outcome in study.complete if outcome.number in best]
    if not front:
        raise InputError(f"none of the {len(study.outcomes)} trials of {study.recipe} was complete: give another space")
    return max(front, key=lambda one: (sign * one.measures[values], -one.number)).number


def winning(found: Found, recipe: Recipe) -> Recipe:
    """The winner, made of the recipe as it was."""
    return list(_contestants(found.study, recipe))[-1].recipe


def fresh_seeds(recipe: Recipe, count: int) -> list[int]:
    """Seeds with which no trial was trained: those have the recipe's."""
    return [recipe.training.seed + 1 + number for number in range(count)]


def _contestants(study: Study, recipe: Recipe) -> Iterator[Contestant]:
    """The recipe as it was and, if it is another, the winner."""
    yield Contestant(AS_IT_WAS, 0, {}, recipe)
    if number := winner_of(study):
        (values,) = (outcome.values for outcome in study.outcomes if outcome.number == number)
        yield Contestant(TUNED, number, values, recipe_of(recipe, number, values))


def _again(
    one: Contestant,
    seeds: Sequence[int],
    samples: Samples,
    recipe: Recipe,
    study: Study,
    options: TuneOptions,
    folder: Path,
    run: Run,
) -> list[Outcome]:
    """What becomes of a recipe with each seed on the samples of the study: trials that nothing prunes."""
    common = Common(
        samples=samples.folder,
        recipe=recipe,
        folder=folder / f"trial-{one.number:04d}",
        objectives=tuple(study.objectives),
        pruner="none",
        seed=options.seed,
    )
    outcomes = []
    asked = [Asked(seed, one.values | {SEED: seed}) for seed in seeds]
    for outcome in _done(common, asked, options.workers):
        outcomes.append(outcome)
        log.info("%s again, seed %d: %d of %d", one.who, outcome.number, len(outcomes), len(seeds))
        about = {"who": one.who, "seed": outcome.number}
        with run.part(f"{one.who} · seed {outcome.number} · as a trial", about) as part:
            part.report({f"tune/{name}": value for name, value in outcome.measures.items()}, len(outcome.curve))
            part.tag("trial", outcome.state)
    return outcomes


def _done(common: Common, asked: Sequence[Asked], workers: int) -> Iterator[Outcome]:
    if workers > 1:
        return in_processes(do, common, asked, workers, option=WORKERS)
    return (do(common, one) for one in asked)


def _judged(outcomes: Mapping[str, Sequence[Outcome]], objectives: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objectives of fresh trainings."""
    for name in objectives:
        for who, each in outcomes.items():
            yield _row(who, name, [one.measures[name] for one in each if one.state == "complete"])


def _row(who: str, metric: str, values: Sequence[float]) -> dict[str, Any]:
    mean = float(np.mean(values)) if values else np.nan
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
    return {"who": who, "rows": VALIDATION, "metric": metric, "mean": mean, "sd": sd, "seeds": len(values)}


@dataclass(frozen=True)
class _Board:
    """A scoreboard, as worker processes know it."""

    samples: Path
    options: ScoreboardOptions
    folder: Path


def _tested(
    samples: Samples, lasting: Sequence[Contestant], seeds: Sequence[int], folder: Path, workers: int, run: Run
) -> list[dict[str, Any]]:
    """What latents of all samples are good for, by the test rows; nothing where one cannot be trained on all."""
    tasks = {name: task for name, task in TASKS.items() if _suits(task, samples)}
    if not (tasks and lasting):
        return []
    recipes = {one.who: Entry(recipe=on_one_thread(one.recipe) if workers > 1 else one.recipe) for one in lasting}
    options = ScoreboardOptions(recipes=recipes, tasks=tasks, seeds=[*seeds], controls=False)
    try:
        if workers > 1:  # what they leave is found below
            list(in_processes(_score, _Board(samples.folder, options, folder), seeds, workers, option=WORKERS))
        table = scores(samples, options, folder, run)
    except InputError as error:
        log.warning("tune: the recipe as it was and the winner are not compared on all samples: %s", error)
        return []
    table = table.assign(who=table["encoder"], rows=TEST, metric=table["task"] + "/" + table["metric"])
    return [{str(name): value for name, value in row.items()} for row in table[COLUMNS].to_dict(orient="records")]


def _score(board: _Board, seed: int) -> None:
    scores(Samples(board.samples), board.options.model_copy(update={"seeds": [seed]}), board.folder)


def _suits(task: TaskChoice, samples: Samples) -> bool:
    try:
        task.build().check_samples(samples)
    except InputError:
        return False
    return True
