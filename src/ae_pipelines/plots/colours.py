"""Which colour a label or a group has."""

from typing import Any

import numpy as np

NAMED = 20
"""How many names fit into a map: those of the largest classes or groups have colours, the others share one."""
UNKNOWN = "0.8"
"""Rows without a label, and noise."""
GREY = 7
"""The place of grey among ten colours."""
OTHERS = "0.5"
"""Classes or groups without a colour of their own."""

Colours = dict[Any, Any]
"""Colours by the label or the number of the group."""


def unknown(values: np.ndarray) -> np.ndarray:
    """A bool for each value: whether it is no label (empty) or no group (-1)."""
    return values == (-1 if values.dtype.kind == "i" else "")


def colours(values: np.ndarray) -> Colours:
    """A colour for each of the largest classes or groups; none is grey where some values are unknown."""
    from matplotlib import colormaps

    names = _largest(values)
    few = [*colormaps["tab10"].colors]  # type: ignore[attr-defined]
    if unknown(values).any():
        few[GREY] = (0.1, 0.1, 0.1)
    many = colormaps["turbo"](np.linspace(0, 1, len(names)))
    return dict(zip(names, few if len(names) <= len(few) else many.tolist(), strict=False))


def matched(labels: np.ndarray, groups: np.ndarray) -> tuple[Colours, Colours]:
    """Colours of labels and of groups: a group has that of its commonest label, unless another group holds more rows of
    this label (`Kuhn 1955`: the assignment of most rows); then it has one that no label has."""
    of_labels, names = colours(labels), _largest(groups)
    if not of_labels or not names:
        return of_labels, colours(groups)
    pairs = _pairs(labels, groups, list(of_labels), names)
    own = iter(_own(len(names)))
    return of_labels, {name: of_labels[pairs[name]] if name in pairs else next(own) for name in names}


def _largest(values: np.ndarray) -> list[Any]:
    """The names of the largest, sorted."""
    names, sizes = np.unique(values[~unknown(values)], return_counts=True)
    return names[np.sort(np.argsort(-sizes, kind="stable")[:NAMED])].tolist()


def _pairs(labels: np.ndarray, groups: np.ndarray, classes: list[Any], names: list[Any]) -> dict[Any, Any]:
    """The label of each group that may have its colour."""
    from scipy.optimize import linear_sum_assignment

    inside = np.array([[np.count_nonzero((groups == g) & (labels == c)) for c in classes] for g in names])
    matches = zip(*linear_sum_assignment(inside, maximize=True), strict=True)
    return {names[g]: classes[c] for g, c in matches if inside[g, c] and inside[g, c] == inside[g].max()}


def _own(count: int) -> list[Any]:
    """Colours unlike those of up to ten labels."""
    from matplotlib import colormaps

    some = [*colormaps["Dark2"].colors[:7], *colormaps["tab20b"].colors]  # type: ignore[attr-defined]
    return [some[number % len(some)] for number in range(count)]
