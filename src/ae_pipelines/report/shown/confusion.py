"""Which classes are taken for which, each count a button that opens its samples."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import class_metrics
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.shown.galleries import opener
from ae_pipelines.report.shown.words import isolated, percent

MOST_CLASSES = 25
"""With more, pairs are listed, and the matrix has the most confused classes only."""
COMPACT = 12
"""Classes of a matrix that stands beside a list."""
MOST_PAIRS = 30
SHADES = (0.0, 0.25, 0.5, 0.75, 0.95)
"""Shares of the true class from which on a cell is the next darker."""


@dataclass(frozen=True)
class Cell:
    """How many samples of a class were taken for a class."""

    content: Markup
    shade: str
    """Class of its colour."""


@dataclass(frozen=True)
class Row:
    """A true class."""

    label: str
    cells: list[Cell]
    recall: str


@dataclass(frozen=True)
class Confusion:
    """The matrix and, of many classes, the commonest mistakes."""

    labels: list[str]
    """Classes of the matrix, in order."""
    rows: list[Row]
    precision: list[str]
    classes: int
    """How many there are in all."""
    pairs: list[tuple[Markup, str, str, str]]
    """A button, the true class, what it was taken for, and the share of the true class; the commonest first."""
    mistakes: int


def confusion(latents: Latents, predictions: Table) -> Confusion:
    """Over the labelled test samples."""
    return counted(class_metrics.confusion(latents, predictions))


def counted(counts: pd.DataFrame) -> Confusion:
    """Of counts of true (rows) by predicted class (columns)."""
    values, names = counts.to_numpy(), [str(name) for name in counts.index]
    wrong = values - np.diag(np.diag(values))
    many = len(names) > MOST_CLASSES
    picked = _most_confused(wrong, COMPACT) if many else list(range(len(names)))
    whole = values.sum(axis=1)
    rows = [
        Row(
            names[true],
            [_cell(names, values, true, taken) for taken in picked],
            _share(values[true, true], whole[true]),
        )
        for true in picked
    ]
    precision = [_share(values[place, place], values[:, place].sum()) for place in picked]
    pairs = _pairs(names, wrong, whole) if many else []
    return Confusion([names[place] for place in picked], rows, precision, len(names), pairs, int(wrong.sum()))


def _most_confused(wrong: np.ndarray, most: int) -> list[int]:
    """Places of the classes that are taken for others, or others for them, most; in order."""
    order = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    return sorted(order[:most].tolist())


def _cell(names: list[str], values: np.ndarray, true: int, taken: int) -> Cell:
    count, whole = int(values[true, taken]), max(1, int(values[true].sum()))
    if not count:
        return Cell(Markup("<span>·</span>"), "")
    shade = f"share-{int(np.searchsorted(SHADES, count / whole, side='right'))}"
    return Cell(_button(names[true], names[taken], count), shade if true == taken else f"{shade} wrong")


def _button(true: str, taken: str, count: int) -> Markup:
    title = f"{isolated(true)}, recognised" if true == taken else f"{isolated(true)} taken for {isolated(taken)}"
    return opener({"label": true, "predicted": taken, "split": "test"}, title, f"{count:,}")


def _pairs(names: list[str], wrong: np.ndarray, whole: np.ndarray) -> list[tuple[Markup, str, str, str]]:
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    places = [divmod(int(place), len(names)) for place in order if wrong.flat[place]]
    return [
        (
            _button(names[true], names[taken], int(wrong[true, taken])),
            names[true],
            names[taken],
            _share(wrong[true, taken], whole[true]),
        )
        for true, taken in places
    ]


def _share(count: float, whole: float) -> str:
    return percent(count / whole) if whole else "–"
