"""The fields that were searched, as axes of charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from ae_pipelines.report.shown.scales import Axis, shown
from ae_pipelines.tuning import space
from ae_pipelines.tuning.results import Study

NO_VALUE = "—"
MANY_TIMES = 30
"""Positive values of which the largest is so many times the least are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Field:
    """A field of the recipe, and where its values lie."""

    path: str
    searched: space.Range | space.Among
    choices: tuple[str, ...]
    """What its values are called, in order; none for numbers."""
    axis: Axis

    @classmethod
    def of(cls, path: str, searched: space.Range | space.Among, seen: Sequence[Any]) -> "Field":
        """`seen` are all values that it had; those of the recipe as it is need not lie in the space."""
        if isinstance(searched, space.Range):
            log = searched.log and all(value > 0 for value in seen if _is_number(value))
            return cls(path, searched, (), Axis("", log=log))
        names = (searched.name_of(value) or space.shown(value) for value in seen)
        return cls(path, searched, tuple(dict.fromkeys([*searched.choices, *names])), Axis(""))

    def place(self, values: dict[str, Any]) -> float | None:
        """The number that it has among these values, or the place of its choice; None where it has none."""
        if self.path not in values:
            return None
        value = values[self.path]
        if self.choices:
            return float(self.choices.index(self._called(value)))
        return float(value) if _is_number(value) else None

    def words(self, values: dict[str, Any]) -> str:
        """Its value as people read it; of a choice its name."""
        if self.path not in values:
            return NO_VALUE
        value = values[self.path]
        if self.choices:
            return self._called(value)
        return shown(value, 4) if isinstance(value, float) and not value.is_integer() else space.shown(value)

    def whole(self, values: dict[str, Any]) -> str:
        """The same with what a choice stands for."""
        called = self.words(values)
        meant = space.shown(values.get(self.path))
        return f"{called} ({meant})" if self.choices and self.path in values and called != meant else called

    @property
    def between(self) -> str:
        """Between what it was searched, and when."""
        field = self.searched
        if isinstance(field, space.Range):
            between = f"{shown(field.low)} to {shown(field.high)}"
            between += ", by its logarithm" if field.log else f", in steps of {shown(field.step)}" if field.step else ""
        else:
            between = ", ".join(field.choices)
        when = " and ".join(f"{path} is {space.shown(value)}" for path, value in field.when.items())
        return f"{between}; where {when}" if when else between

    def _called(self, value: Any) -> str:
        known = self.searched.name_of(value) if isinstance(self.searched, space.Among) else None
        return known or space.shown(value)


def fields(study: Study) -> list[Field]:
    """Those of which at least one trial has a value, in the order of the space."""
    found = []
    for path, searched in study.space.fields.items():
        seen = [outcome.values[path] for outcome in study.outcomes if path in outcome.values]
        if seen:
            found.append(Field.of(path, searched, seen))
    return found


def short_names(paths: Sequence[str]) -> list[str]:
    """Of each path as few of its last parts as tell it from the others."""
    return [_short(path, [other for other in paths if other != path]) for path in paths]


def _short(path: str, others: Sequence[str]) -> str:
    parts = path.split(".")
    for count in range(1, len(parts)):
        end = ".".join(parts[-count:])
        if not any(other == end or other.endswith(f".{end}") for other in others):
            return end
    return path


def axis_of(values: Sequence[float] | np.ndarray, name: str, times: float = MANY_TIMES) -> Axis:
    """An axis for these values: logarithmic if few large ones would leave the others no room."""
    known = np.asarray(values, float)
    return Axis(name, log=bool(len(known) and known.min() > 0 and known.max() > times * known.min()))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
