"""A study: trials one after another, or some at once, each told before the next is asked for."""

import json
import logging
import math
import shutil
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import ae_pipelines
from ae_pipelines.base import seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_processes
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.in_optuna import Goals, InOptuna
from ae_pipelines.tuning.journal import Journal
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.pruning import Curves, yardstick
from ae_pipelines.tuning.results import Study
from ae_pipelines.tuning.sampling import Sampling
from ae_pipelines.tuning.trial import Asked, Common, Outcome, do, kept, recipe_of

log = logging.getLogger(__name__)

JOURNAL, ASKED = "study.journal", "asked.json"
NOT_OF_TRIALS = {"trials", "minutes", "final_seeds"}
"""Options on which no trial depends: a study goes on when they change."""


def run_study(samples: Samples, recipe: Recipe, options: TuneOptions, folder: Path, run: Run = NO_RUN) -> Study:
    """Trials of `recipe` on a study's samples (`study_samples`), kept in `<folder>/<id>/`.

    Trial 0 is the recipe as it is, whether its values lie in the space or not, and is never pruned. What is there is
    not done again: a study that was killed ends as an undisturbed one, and more trials go on from where it was. Each
    trial that ends in this call is a part of `run`. With several workers as many trials are under way at once; each
    still depends only on the trials that are so many numbers before it, whichever ends first.

    Raises `InputError` if the space or the objectives do not suit recipe or samples, and if no trial was complete: then
    nothing is kept, so that the next call tries again.
    """
    started = time.monotonic()
    until = math.inf if options.minutes is None else started + 60 * options.minutes
    trials = _Trials(samples, recipe, options, folder / study_id(samples, recipe, options))
    with closing(trials.done(until)) as outcomes:
        for ended, outcome in enumerate(outcomes, start=1):
            _record(run, outcome)
            log.info("%s", trials.said(time.monotonic() - started, ended, until))
    trials.refuse_nothing()
    return trials.study(time.monotonic() - started)


def study_id(samples: Samples, recipe: Recipe, options: TuneOptions) -> str:
    """A hash of all that trials depend on; `samples` are those of the study."""
    from ae_pipelines.tuning.objectives import pick

    chosen = options.model_dump(mode="json", exclude=NOT_OF_TRIALS)
    judged = {name: one.title for name, one in pick(options.objective, samples, recipe).items()}
    about = [samples.id, recipe.model_dump(mode="json"), chosen, judged, ae_pipelines.__version__]
    return canonical_sha256(about)[:12]


class _Trials:
    """The trials of a study as far as they are."""

    def __init__(self, samples: Samples, recipe: Recipe, options: TuneOptions, folder: Path) -> None:
        from ae_pipelines.tuning.objectives import pick

        options.space.check_recipe(recipe)
        self._samples, self._recipe, self._options, self._folder = samples, recipe, options, folder
        self._objectives = pick(options.objective, samples, recipe)
        higher_is_better = tuple(one.higher_is_better for one in self._objectives.values())
        self._named = InOptuna(options.space, recipe, higher_is_better)
        self._sampling = Sampling(self._named, options.sampler, options.seed)
        self._common = Common(samples.folder, recipe, folder, tuple(self._objectives), options.pruner, options.seed)
        self._told: list[Outcome] = []
        self._asked: list[dict[str, Any]] = []
        """Values of the trials that have begun, by number."""
        self._yardsticks: list[str | None] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / JOURNAL, f"{recipe.name} {folder.name}", list(self._objectives), self._named)

    def done(self, until: float) -> Generator[Outcome, None, None]:
        """The outcomes of trials that were not yet done; none begins after `until` (`time.monotonic`) but the first."""
        self._find()
        asked = self._asking(until)
        workers = self._options.workers
        results = (
            in_processes(do, self._common, asked, workers, ahead=workers - 1, option="tune.workers")
            if workers > 1
            else (do(self._common, one) for one in asked)
        )
        with closing(results):
            for outcome in results:
                self._tell(outcome)
                yield outcome

    def _find(self) -> None:
        """Tell of the trials that were done before, as far as no earlier one is missing."""
        for number in range(self._options.trials):
            if (outcome := kept(self._common.folder_of(number))) is None:
                return
            self._note(outcome.values)
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self._told.append(outcome)
        self._journal.add(outcome, goals(outcome, self._objectives))

    def _asking(self, until: float) -> Iterator[Asked]:
        for number in range(len(self._told), self._options.trials):
            if number and time.monotonic() >= until:
                return
            known = self._told[: max(0, number + 1 - self._options.workers)]
            values = self._values(number, known)
            if values is None:
                return
            self._note(values)
            yield Asked(number, values, self._comparable(number, known))

    def _values(self, number: int, known: Sequence[Outcome]) -> dict[str, Any] | None:
        """Those that an earlier call has asked for, or others; written down, as a sampler of a later version might
        choose others."""
        if number == 0:
            return self._options.space.own(self._recipe)
        path = self._common.folder_of(number) / ASKED
        if path.exists():
            seals.check(path, "remove the study's folder, and run tune again", stages=("tune",))
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return values
        under_way = self._asked[len(known) : number]
        drawn = self._sampling.values(number, known, [goals(one, self._objectives) for one in known], under_way)
        if drawn is not None:
            seals.write_text(path, json.dumps(drawn))
        return drawn

    def _note(self, values: dict[str, Any]) -> None:
        """Remember a trial that has begun."""
        follows_loss = all(one.decodes for one in self._objectives.values())
        yard = None
        with suppress(InputError):  # the trial says so itself
            yard = yardstick(recipe_of(self._recipe, len(self._asked), values), follows_loss)
        self._asked.append(values)
        self._yardsticks.append(yard)

    def _comparable(self, number: int, known: Sequence[Outcome]) -> Curves:
        """Curves by which a trial may be pruned: those whose losses mean the same. None for the recipe as it is, and
        with several objectives: what one of them prefers another may not."""
        if number == 0 or len(self._objectives) > 1:
            return {}
        yard = self._yardsticks[number]
        return {
            one.number: one.curve
            for one in known
            if yard is not None and self._yardsticks[one.number] == yard and one.state != "failed"
        }

    def refuse_nothing(self) -> None:
        """`InputError` if no trial was complete; the study's folder is removed, so that it can be tried again."""
        if any(one.state == "complete" for one in self._told):
            return
        failed = [one for one in self._told if one.state == "failed"]
        first = failed[0]
        shutil.rmtree(self._folder)
        others = "" if len(failed) == len(self._told) else f" ({len(failed)} failed, the others were pruned)"
        raise InputError(
            f"tune: none of {len(self._told)} trials could be judged{others}. Of trial {first.number}"
            f"{', the recipe as it is' if first.number == 0 else ''}: {first.error}. See that the recipe trains by "
            "itself, or give another tune.space",
            options={"tune.space": "..."},
        )

    def study(self, seconds: float) -> Study:
        """What has been found so far."""
        return Study(
            id=self._folder.name,
            recipe=self._recipe.name,
            samples=self._samples.manifest.source,
            space=self._options.space,
            objectives=list(self._objectives),
            higher_is_better=list(self._named.higher_is_better),
            outcomes=list(self._told),
            seconds=seconds,
        )

    def said(self, seconds: float, ended: int, until: float) -> str:
        """How far it is, where `ended` trials took so many seconds."""
        study, trials = self.study(seconds), self._options.trials
        best = study.best()
        words = [f"{len(self._told)} of {trials} trials"]
        if len(best) == 1 and len(self._objectives) == 1:
            words.append(f"best {study.outcomes[best[0]].measures[study.objectives[0]]:.4g} (trial {best[0]})")
        elif best:
            words.append(f"best {', '.join(map(str, best))}")
        left = min((trials - len(self._told)) * seconds / ended, max(0.0, until - time.monotonic()))
        return " · ".join([*words, f"{_time(left)} left"] if left else words)


def goals(outcome: Outcome, objectives: Iterable[str]) -> Goals:
    """The objectives of a trial; None where it is not complete."""
    return [outcome.measures[name] for name in objectives] if outcome.state == "complete" else None


class _TrialFailed(Exception):  # noqa: N818
    """Ends the part of a run that a failed trial is."""


def _record(run: Run, outcome: Outcome) -> None:
    """A part of the run: failed if the trial has, and tagged with what became of it."""
    with suppress(_TrialFailed), run.part(f"trial {outcome.number}", outcome.values) as part:
        for epoch, loss in enumerate(outcome.curve, start=1):
            part.report({"tune/loss": loss}, epoch)
        part.report({f"tune/{name}": value for name, value in outcome.measures.items()}, len(outcome.curve))
        part.tag("trial", outcome.state)
        if outcome.error is not None:
            part.tag("error", outcome.error)
            raise _TrialFailed


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
