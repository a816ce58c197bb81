"""The whole page as one text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from markupsafe import Markup

from ae_pipelines.base.errors import InputError
from ae_pipelines.report.page import STYLES, document
from ae_pipelines.report.shown.charts import bar
from ae_pipelines.report.shown.words import duration, percent
from ae_pipelines.report.tuned import compared, drawn, rows
from ae_pipelines.report.tuned.importance import FEWEST, importances
from ae_pipelines.report.tuned.together import together
from ae_pipelines.report.tuned.trials import Objective, Trials, key
from ae_pipelines.tuning import objectives
from ae_pipelines.tuning.results import Found
from ae_pipelines.tuning.verdict import BEYOND_NOISE

SCRIPTS = ("elements.js", "theme.js", "tuned.js")
SHEETS = (*STYLES, "tuned.css")


@dataclass(frozen=True)
class Important:
    """A bar of the importance of fields."""

    path: str
    words: str
    bar: Markup
    by_chance: bool
    """Whether a field of random numbers gets as much."""


@dataclass(frozen=True)
class OfObjective:
    """What the page shows of one objective."""

    objective: Objective
    history: Markup
    important: list[Important]
    by_chance: str
    against: dict[str, Markup]
    """A chart for each field."""


def page(found: Found) -> str:
    """A page that needs no other file."""
    trials = Trials(found.study, found.winner)
    return document(
        "tuned",
        SCRIPTS,
        SHEETS,
        title=f"{found.study.recipe} tuned on {found.study.samples}",
        found=found,
        sentences=list(_sentences(trials)),
        notes=_notes(found),
        tables=compared.tables(found),
        values=compared.values(trials),
        key=[key(role) for role in trials.roles()],
        parts=[_of(trials, objective) for objective in trials.objectives],
        fewest=FEWEST,
        beyond=BEYOND_NOISE,
        fronts=[drawn.front(trials, *pair) for pair in combinations(trials.objectives, 2)] if trials.front else [],
        far_off=sorted(trials.far_off()),
        far_larger=sorted(drawn.far_larger(trials)),
        curves=drawn.curves(trials),
        together=together(trials),
        failures=rows.failures(found.study),
        table=rows.table(trials),
    )


def _of(trials: Trials, objective: Objective) -> OfObjective:
    known = importances(trials, objective)
    complete = any(objective.of(one) is not None for one in trials.study.outcomes)
    bars = (
        [Important(one.path, percent(one.share), bar(one.share), one.share <= known.by_chance) for one in known.fields]
        if known
        else []
    )
    slices = {field.path: drawn.against(trials, field, objective) for field in trials.fields} if complete else {}
    by_chance = percent(known.by_chance) if known else ""
    return OfObjective(objective, drawn.history(trials, objective), bars, by_chance, slices)


def _sentences(trials: Trials) -> Iterator[str]:
    study = trials.study
    counts = {state: sum(one.state == state for one in study.outcomes) for state in ("complete", "pruned", "failed")}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    many = "1 trial" if len(study.outcomes) == 1 else f"{len(study.outcomes)} trials"
    yield f"{many} in {duration(study.seconds)}: {told}."
    if trials.winner == 0:
        yield "No trial was better than trial 0, the recipe as it was."
    elif len(trials.objectives) > 1:
        yield f"The winner is trial {trials.winner}, one of {len(trials.front)} on the Pareto front."
    else:
        yield f"The winner is trial {trials.winner}."


def _notes(found: Found) -> list[tuple[str, str]]:
    """Each objective, what it measures, and what to mind."""
    return [
        (name, _about(name, higher))
        for name, higher in zip(found.study.objectives, found.study.higher_is_better, strict=True)
    ]


def _about(name: str, higher: bool) -> str:
    better = f"{'higher' if higher else 'lower'} is better."
    try:
        objective = objectives.built(name)
    except InputError:  # the study is of a version that had it
        return better
    return f"{objective.title}; {better} Mind: {objective.misleads}."
