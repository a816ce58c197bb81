"""Fields of a recipe are searched for the values that serve best; or a learning rate is."""

from pathlib import Path
from time import strftime
from typing import Any

import pandas as pd

from ae_pipelines.base.run import Run
from ae_pipelines.base.skipped import NotAskedFor, Skipped, unless_skipped
from ae_pipelines.io.tuned_recipe import TunedRecipe
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.results import Found, Study

NO_STUDY = NotAskedFor("tune.kind=learning_rate makes no study")
NO_RATES = NotAskedFor("tune.kind=study tests no learning rates by themselves")
NOT_TUNED = NotAskedFor("the recipe as it was is the best of its study")


def pick(samples: Samples, options: TuneOptions, folder: Path) -> Samples | NotAskedFor:
    """The samples of a study, none of them of the test split."""
    if options.kind != "study":
        return NO_STUDY
    from ae_pipelines.tuning.samples import study_samples

    return study_samples(samples, options.learn, options.judge, folder / "samples")


@unless_skipped
def search(study_samples: Samples, recipe: Recipe, options: TuneOptions, folder: Path, run: Run) -> Study:
    """The trials of a study."""
    from ae_pipelines.tuning import study

    recipe.check_samples(study_samples)
    return study.run_study(study_samples, recipe, options, folder, run)


@unless_skipped
def compare(
    samples: Samples,
    study_samples: Samples,
    recipe: Recipe,
    study: Study,
    options: TuneOptions,
    folder: Path,
    run: Run,
) -> Found:
    """The winner of a study beside the recipe as it was."""
    from ae_pipelines.tuning import winner

    return winner.found(samples, study_samples, recipe, study, options, folder, run)


def test_rates(samples: Samples, recipe: Recipe, options: TuneOptions, folder: Path, run: Run) -> Any:
    """How the loss goes while the learning rate grows."""
    if options.kind != "learning_rate":
        return NO_RATES
    from ae_pipelines.tuning import learning_rate

    return learning_rate.range_test(samples, recipe, options, run)


def keep(found: Found | Skipped) -> tuple[dict[str, Any], pd.DataFrame] | tuple[Skipped, Skipped]:
    """All of it as plain data, and a row a trial."""
    return (found, found) if isinstance(found, Skipped) else (found.plain(), found.study.table())


@unless_skipped
def write_recipe(found: Found, recipe: Recipe) -> TunedRecipe | NotAskedFor:
    """The winner as a recipe by name, with what is known of it on top."""
    from ae_pipelines.tuning import verdict, winner

    if found.winner == 0:
        return NOT_TUNED
    return TunedRecipe(recipe.name, winner.winning(found, recipe), verdict.told(found, strftime("%Y-%m-%d")))


def measure(found: Found | Skipped, rates: Any) -> tuple[dict[str, float], dict[str, str]]:
    """What the recipe as it was and the winner are worth, or which learning rate is; and the verdict in words."""
    if isinstance(found, Skipped):
        return rates.metrics(), {"verdict": rates.verdict}
    from ae_pipelines.tuning import verdict

    return verdict.metrics(found), {"verdict": found.verdict}


@unless_skipped
def write_page(found: Found) -> str:
    """The page."""
    from ae_pipelines.report.tuned import page

    return page.page(found)


def draw_rates(rates: Any) -> tuple[Any, Any]:
    """The curve as plain data and as a picture."""
    if isinstance(rates, Skipped):
        return rates, rates
    from ae_pipelines.plots import learning_rate

    return rates.plain(), learning_rate.curve(rates)
