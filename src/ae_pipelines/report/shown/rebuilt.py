"""Some samples beside what the model makes of them: pictures, the columns of a table, or curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup

from ae_pipelines.report.page_data.table_columns import are_tables
from ae_pipelines.report.results import Results
from ae_pipelines.report.shown import charts, pictures, table_values
from ae_pipelines.training import examples
from ae_pipelines.training.trained import TrainedModel

MOST_COLUMNS = 8
"""Columns of a table that are shown of a sample: those with the largest errors."""
IN_WORDS = {"sample": "original", "output": "rebuilt", "residual": "error", "input": "corrupted"}


@dataclass(frozen=True)
class View:
    """A picture, or curves."""

    name: str
    html: Markup


@dataclass(frozen=True)
class Cell:
    """What a column of a table holds, and what the model makes of it."""

    column: str
    value: str
    rebuilt: str
    share: float
    """Of the sample's whole error, 0 to 1."""
    seen: str = ""
    """What the corruption showed the model."""


@dataclass(frozen=True)
class Rebuilt:
    """One sample, and what the model makes of it."""

    row: int
    id: str
    label: str
    caption: str
    views: list[View] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    more: int = 0
    """Columns that are not shown."""


def kind(results: Results) -> str:
    """How samples are shown: `pictures`, `columns` or `curves`."""
    spec = results.samples.spec
    if len(spec.shape) == 3:
        return "pictures"
    return "columns" if are_tables(spec) else "curves"


def can_rebuild(model: TrainedModel) -> bool:
    """Whether it has both an encoder and a decoder."""
    return hasattr(model.module, "encode") and hasattr(model.module, "decode")


def rebuilt(
    results: Results, rows: Sequence[int], captions: Sequence[str], *, corrupted: bool = False
) -> list[Rebuilt]:
    """These samples of a model that can rebuild them; with `corrupted` also as the model saw them in training, if they
    were corrupted there."""
    if not len(rows):
        return []
    values = results.samples.take(np.asarray(rows))
    parts = examples.rebuilt(results.autoencoder, values)
    if corrupted and results.autoencoder.contract.corruptions:
        parts = {"input": results.autoencoder.corrupted(values)} | parts
    make: Callable[[examples.Rows, Results], list[dict[str, Any]]]
    make = {"pictures": _as_pictures, "columns": _as_columns, "curves": _as_curves}[kind(results)]
    found, ids, labels = make(parts, results), results.ids(rows), results.latents.labels[np.asarray(rows)]
    return [
        Rebuilt(int(row), str(name), str(label), caption, **shown)
        for row, name, label, caption, shown in zip(rows, ids, labels, captions, found, strict=True)
    ]


def _as_pictures(parts: examples.Rows, _: Results) -> list[dict[str, Any]]:
    clean = parts["sample"]
    seen = {
        name: pictures.heat(values, clean) if name == "residual" else pictures.as_seen(values, clean)
        for name, values in parts.items()
    }
    image = Markup('<img src="{}" alt="{}">')
    return [
        {
            "views": [
                View(IN_WORDS[name], image.format(pictures.address(images[place]), IN_WORDS[name]))
                for name, images in seen.items()
            ]
        }
        for place in range(len(clean))
    ]


def _as_curves(parts: examples.Rows, _: Results) -> list[dict[str, Any]]:
    flat = {name: values.reshape(len(values), -1) for name, values in parts.items()}
    return [
        {
            "views": [
                View(
                    "original and reconstruction",
                    charts.curves(
                        {"ours": flat["sample"][place], "control": flat["output"][place]},
                        "curves of the sample and of its reconstruction",
                    ),
                ),
                View("error", charts.curves({"wrong": flat["residual"][place]}, "curve of the absolute error")),
                *_curve_of_input(flat, place),
            ]
        }
        for place in range(len(flat["sample"]))
    ]


def _curve_of_input(flat: examples.Rows, place: int) -> list[View]:
    if "input" not in flat:
        return []
    return [View(IN_WORDS["input"], charts.curves({"ours": flat["input"][place]}, "curve of what the model saw"))]


def _as_columns(parts: examples.Rows, results: Results) -> list[dict[str, Any]]:
    spec = results.samples.spec
    errors = table_values.errors_by_column(parts["residual"], spec)
    words = {name: table_values.in_columns(values, spec) for name, values in parts.items() if name != "residual"}
    return [
        _cells({name: lines[place] for name, lines in words.items()}, errors[place]) for place in range(len(errors))
    ]


def _cells(words: dict[str, dict[str, str]], errors: dict[str, float]) -> dict[str, Any]:
    whole = sum(errors.values()) or 1.0
    worst = sorted(errors, key=lambda column: -errors[column])
    cells = [
        Cell(
            column,
            words["sample"][column],
            words["output"][column],
            errors[column] / whole,
            words.get("input", {}).get(column, ""),
        )
        for column in worst[:MOST_COLUMNS]
    ]
    return {"cells": cells, "more": max(0, len(worst) - MOST_COLUMNS)}
