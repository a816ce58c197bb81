"""By which options two runs were made, as far as these differ."""

from dataclasses import dataclass

from ae_pipelines.report.two_runs.side import Side

OF_THE_RUN = ("given.", "data_dir", "run_id", "compare.", "report.")
"""Beginnings of names that say how a run was started or shown, and not what it did."""
ABSENT = "—"


@dataclass(frozen=True)
class Parameter:
    """A row of the table."""

    name: str
    here: str
    there: str


@dataclass(frozen=True)
class Parameters:
    """What differs, and how much is the same."""

    different: list[Parameter]
    equal: int
    from_where: str
    """Where both were read, as a clause."""
    only_here: list[str]
    """What only this run did, such as stages, by the beginnings of the names of their parameters."""
    only_there: list[str]


def parameters(here: Side, there: Side) -> Parameters | None:
    """Names and values of both, compared from one and the same kind of record; None where there is none."""
    if here.record and there.record and here.record.parameters and there.record.parameters:
        return _compared(here.record.parameters, there.record.parameters, "as MLflow has them on record")
    if here.results is not None and there.results is not None:
        return _compared(here.parameters, there.parameters, "as the models and the samples of both folders say")
    return None


def _compared(ours: dict[str, str], theirs: dict[str, str], from_where: str) -> Parameters:
    ours, theirs = ({name: text for name, text in side.items() if not _is_of_the_run(name)} for side in (ours, theirs))
    only_here, only_there = (
        sorted(_beginnings(one) - _beginnings(other)) for one, other in ((ours, theirs), (theirs, ours))
    )
    names = sorted(name for name in {*ours, *theirs} if _beginning(name) not in (*only_here, *only_there))
    different = [
        Parameter(name, ours.get(name, ABSENT), theirs.get(name, ABSENT))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]
    return Parameters(different, len(names) - len(different), from_where, only_here, only_there)


def _beginnings(parameters: dict[str, str]) -> set[str]:
    return {_beginning(name) for name in parameters}


def _beginning(name: str) -> str:
    return name.partition(".")[0]


def _is_of_the_run(name: str) -> bool:
    return name.startswith(OF_THE_RUN) or name.endswith(".data_dir")
