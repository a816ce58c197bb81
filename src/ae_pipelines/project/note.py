"""What is told of a run where runs are listed: a page of Markdown for people who look for one among many."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ae_pipelines.project.summary import FEW_ROWS, MARK, Measure, Summary
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

MOST_WARNINGS = 12
"""More than these are counted."""
MOST_LETTERS = 200
"""Of a value that was typed: the numbers that follow are to find room in a note, too."""
GAP = "\N{NO-BREAK SPACE}" * 2
"""Before a cell: MLflow draws tables without any space between columns."""
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


@dataclass(frozen=True)
class Told:
    """What a note is made of; what there is not is left out."""

    pipeline: str
    given: Mapping[str, str]
    """What was typed after `--params`."""
    outcome: str | None = None
    """Why there was nothing to do, or what went wrong."""
    report: str | None = None
    """Where the page of all results is."""
    samples: Sequence[Samples] = ()
    summary: Summary | None = None
    warned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By stage."""


def note(told: Told) -> str:
    """The Markdown; MLflow shows its first few lines, and the rest on request."""
    measures = list(told.summary.measures()) if told.summary else []
    said = told.summary.sentences() if told.summary else []
    parts = [
        " · ".join(part for part in (_headline(told.outcome, measures, said), _link(told.report)) if part),
        *map(_data, told.samples),
        _asked(told),
        _table(measures),
        _lines(told.summary.others() if told.summary else []),
        _listed(said if measures else said[1:]),
        _warnings(told.warned),
    ]
    return "\n\n".join(part for part in parts if part)


def plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _headline(outcome: str | None, measures: Sequence[Measure], said: Sequence[str]) -> str:
    """Why there are no results, the measure of which most is known, or what else is said first."""
    if outcome or not measures:
        first_said = outcome or next(iter(said), "")
        return f"**{plain(first_said)}**" if first_said else ""
    first = max(reversed(measures), key=lambda one: len(one.certain))
    beside = [*first.certain, *([f"PCA {first.control}"] if first.control else [])]
    return f"**{plain(first.what)} {first.value}** ({plain('; '.join(beside))})"


def _link(report: str | None) -> str:
    return f"[**report**]({report})" if report else ""


def _asked(told: Told) -> str:
    given = [f"{plain(name)} = {plain(_short(value))}" for name, value in told.given.items()]
    return f"**{plain(told.pipeline.strip('_'))}** with {', '.join(given) or 'nothing given'}"


def _short(value: str) -> str:
    return value if len(value) <= MOST_LETTERS else f"{value[:MOST_LETTERS]} …"


def _data(samples: Samples) -> str:
    counts = samples.counts()
    splits = " and ".join(f"{counts[split]:,} {split}" for split in ("train", "test") if counts.get(split))
    classes = len(samples.class_counts())
    labelled = f"{counts['labelled']:,} labelled" + (f" ({classes} classes)" if classes else "")
    said = [f"{len(samples):,} samples ({shape(samples.spec)}): {splits}", labelled]
    said += [f"{counts['rejected']:,} of {counts['read']:,} rejected"] if counts["rejected"] else []
    return f"**Data**: {plain(samples.manifest.source)}, {'; '.join(said)}. Store {samples.id}."


def shape(spec: SampleSpec) -> str:
    """What one sample is: `13 columns`, `1 × 8 × 8 uint8`."""
    if columns := spec.preprocessing.get("columns"):
        return f"{len(columns)} columns"
    return f"{' × '.join(map(str, spec.shape))} {spec.dtype}"


def _table(measures: Sequence[Measure]) -> str:
    if not measures:
        return ""
    cells = [[one.what, one.value, one.control, one.better, "; ".join(one.certain)] for one in measures]
    rows = [f"| {f' | {GAP}'.join(map(plain, row))} |" for row in cells]
    few = ["", plain(FEW_ROWS)] if any(MARK in one.what for one in measures) else []
    head = ["| | autoencoder | PCA | better is | of how many, 95 % interval |", "|:--|--:|--:|:--|:--|"]
    return "\n".join([*head, *rows, *few])


def _lines(lines: Sequence[str]) -> str:
    """Lines as a terminal shows them."""
    shown = [line for line in lines if line]
    return "\n".join(["```", *shown, "```"]) if shown else ""


def _warnings(warned: Mapping[str, Sequence[str]]) -> str:
    said = [
        text if text.startswith(f"{stage}:") else f"{stage}: {text}"
        for stage, texts in warned.items()
        for text in dict.fromkeys(texts)
    ]
    more = [f"{len(said) - MOST_WARNINGS} more"] if len(said) > MOST_WARNINGS else []
    return f"**Warned about**\n\n{_listed([*said[:MOST_WARNINGS], *more])}" if said else ""


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {plain(text)}" for text in texts)
