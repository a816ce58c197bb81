"""The trials of a study, as its page sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from markupsafe import Markup

from ae_pipelines.report.shown.drawing import tenth
from ae_pipelines.report.tuned.fields import Field, fields
from ae_pipelines.tuning.results import Study
from ae_pipelines.tuning.trial import Outcome

SHAPES = {
    "complete": "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "front": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "as-it-was": "M-4.5 -4.5h9v9h-9z",
    "tuned": "M0 -7.5L6.5 0L0 7.5L-6.5 0z",
    "pruned": "M0 -5V5",
    "failed": "M-4 -4L4 4M-4 4L4 -4",
}
"""Marks of trials by their role, as SVG paths around 0, 0: roles differ by shape, too."""
FAR_OFF = 3
"""So many times the distance of the quartiles below the lower one (Tukey's outer fence)."""
CALLED = {
    "complete": "trial",
    "front": "one of the best (Pareto front)",
    "as-it-was": "recipe as it was",
    "tuned": "winner",
    "pruned": "pruned: ended early",
    "failed": "failed",
}


@dataclass(frozen=True)
class Objective:
    """What is tuned for."""

    name: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        """As axes are called."""
        return f"{end_of(self.name, 36)} ({'higher' if self.higher_is_better else 'lower'} is better)"

    def of(self, outcome: Outcome) -> float | None:
        """None unless the trial is complete."""
        value = outcome.measures.get(self.name)
        return value if outcome.state == "complete" and value is not None and np.isfinite(value) else None


@dataclass(frozen=True)
class Trials:
    """A study and its winner."""

    study: Study
    winner: int

    @cached_property
    def fields(self) -> list[Field]:
        return fields(self.study)

    @cached_property
    def objectives(self) -> list[Objective]:
        return [
            Objective(name, higher)
            for name, higher in zip(self.study.objectives, self.study.higher_is_better, strict=True)
        ]

    def at(self, objective: Objective, outcome: Outcome) -> float | None:
        """Where charts show its value: at their edge if it is far worse than others, which would lie on each other."""
        value, edge = objective.of(outcome), self._edges[objective]
        if value is None:
            return None
        return max(value, edge) if objective.higher_is_better else min(value, edge)

    def far_off(self) -> set[int]:
        """Numbers of the trials that charts show at an edge."""
        return {
            one.number
            for one in self.study.outcomes
            for objective in self.objectives
            if self.at(objective, one) != objective.of(one)
        }

    @cached_property
    def _edges(self) -> dict[Objective, float]:
        found = {}
        for objective in self.objectives:
            sign = 1 if objective.higher_is_better else -1
            values = [sign * value for one in self.study.outcomes if (value := objective.of(one)) is not None]
            low, high = np.quantile(values, (0.25, 0.75)) if values else (0.0, 0.0)
            fence = low - FAR_OFF * (high - low)
            found[objective] = sign * min((value for value in values if value >= fence), default=0.0)
        return found

    @cached_property
    def front(self) -> set[int]:
        """Numbers of the best; of one objective it is one."""
        return set(self.study.best())

    def role(self, outcome: Outcome) -> str:
        """One of `SHAPES`."""
        if outcome.state != "complete":
            return outcome.state
        if outcome.number == self.winner:
            return "tuned"
        if outcome.number == 0:
            return "as-it-was"
        return "front" if len(self.objectives) > 1 and outcome.number in self.front else "complete"

    def roles(self) -> list[str]:
        """Those that there are, as a key names them."""
        found = {self.role(outcome) for outcome in self.study.outcomes}
        return [role for role in SHAPES if role in found]

    def in_order_of_drawing(self) -> Sequence[Outcome]:
        """Those that people look for come last, so that none covers them."""
        last = list(SHAPES)
        rank = {role: (0 if role in ("pruned", "failed") else 1 + last.index(role)) for role in SHAPES}
        return sorted(self.study.outcomes, key=lambda outcome: rank[self.role(outcome)])


def mark(role: str, x: float, y: float, number: int) -> Markup:
    """A trial at a place of a chart."""
    return Markup('<path class="trial {}" data-trial="{}" transform="translate({} {})" d="{}"/>').format(
        role, number, tenth(x), tenth(y), SHAPES[role]
    )


def key(role: str) -> Markup:
    """What a mark means, with the mark."""
    return Markup(
        '<span class="trial-key"><svg viewBox="-8 -8 16 16" aria-hidden="true"><path class="trial {}" d="{}"/></svg> '
        "{}</span>"
    ).format(role, SHAPES[role], CALLED[role])


def cut(text: str, most: int) -> str:
    """The first so many letters of a text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def end_of(text: str, most: int) -> str:
    """Its last so many letters, which of a path say more than its first."""
    return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"
