"""What the winner of a study is worth: it and the recipe as it was, trained again with fresh seeds."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison.scoreboard import board
from ae_pipelines.comparison.scoreboard.board import Entry, ScoreboardOptions
from ae_pipelines.comparison.scoreboard.tasks import TaskChoice
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning import objectives, trial
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION, Found, Study
from ae_pipelines.tuning.space import changed
from ae_pipelines.tuning.trial import Outcome

log = logging.getLogger(__name__)

TASKS = {
    "classify": TaskChoice(kind="classify"),
    "few_labels": TaskChoice(kind="few_labels", by={"kind": "logistic_regression", "few_labels": [100]}),
    "reconstruction": TaskChoice(kind="reconstruction"),
}
"""What test rows are opened for."""
BEYOND_NOISE = 2
"""A difference counts if it is more than so many standard deviations over seeds, of the two recipes' the larger."""
COLUMNS = ["who", "rows", "metric", "mean", "sd", "seeds"]


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
    `samples`, whose test split is opened for these two alone.

    What is finished in `folder` is not done again, and a killed training is taken up. `InputError` if no trial was
    complete.
    """
    winner = winner_of(study)
    recipes = {AS_IT_WAS: recipe} | ({TUNED: recipe_of(study, winner, recipe)} if winner else {})
    seeds = fresh_seeds(recipe, options.final_seeds)
    outcomes = {
        who: [_trained(study_samples, with_seed(one, seed), ...) for seed in seeds] for who, one in recipes.items()
    }
    lasting = {who: one for who, one in recipes.items() if all(found.state == "complete" for found in outcomes[who])}
    rows = [*_judged(outcomes, study), *_tested(samples, lasting, seeds, folder, run)]
    compared = pd.DataFrame(rows, columns=COLUMNS)
    return Found(study, winner, compared, verdict(study, winner, compared))


def winner_of(study: Study) -> int:
    """The number of the best trial; of several that are best in one objective without being worse in another, of the
    best one in the first. `InputError` if no trial was complete."""
    best = study.best()
    if not best:
        failed = [outcome for outcome in study.outcomes if outcome.state == "failed"]
        why = f"; trial {failed[0].number} failed: {failed[0].error}" if failed else ""
        raise InputError(
            f"none of {len(study.outcomes)} trials was complete, {len(failed)} failed{why}: give a narrower space, or "
            "see whether the recipe as it is can be trained"
        )
    first, sign = study.objectives[0], 1 if study.higher_is_better[0] else -1
    return max(best, key=lambda number: (sign * _outcome(study, number).measures[first], -number))


def recipe_of(study: Study, number: int, recipe: Recipe) -> Recipe:
    """The recipe of a trial: `recipe` with its values, but trial 0, which is the recipe as it is."""
    return changed(recipe, _outcome(study, number).values) if number else recipe


def fresh_seeds(recipe: Recipe, count: int) -> list[int]:
    """Seeds with which no trial was trained: these have the recipe's."""
    return [recipe.training.seed + 1 + number for number in range(count)]


def verdict(study: Study, winner: int, compared: pd.DataFrame) -> str:
    """One line: whether the winner is better in the first objective by more than `BEYOND_NOISE` standard deviations
    over seeds (with n - 1), of the two the larger."""
    name, trials = study.objectives[0], f"{len(study.outcomes)} trials"
    was = _value(compared, AS_IT_WAS, name)
    if winner == 0:
        return f"{study.recipe} as it was is the best of {trials} by {name}: {_told(was)}"
    tuned = _value(compared, TUNED, name)
    numbers = f"{name} {_told(was)} as it was, {_told(tuned)} tuned (trial {winner} of {trials})"
    gain = (tuned["mean"] - was["mean"]) * (1 if study.higher_is_better[0] else -1)
    noise = max(was["sd"], tuned["sd"])
    if gain > BEYOND_NOISE * noise:
        return f"{study.recipe} tuned is better than as it was, beyond the noise of seeds: {numbers}"
    return f"{study.recipe} tuned is not better than as it was beyond the noise of seeds: {numbers}"
