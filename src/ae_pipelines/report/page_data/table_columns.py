"""The columns of a table's samples as people know them: what was scaled and taken apart is put together again."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ae_pipelines.report.page_data.fields import Field
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.treatments import columns_of, is_mixed

RARE = "(rare)"
"""A level that few rows have; which one is not kept."""


def are_tables(spec: SampleSpec) -> bool:
    """Whether each feature of the samples belongs to a named column."""
    return len(spec.shape) == 1 and len(columns_of(spec.preprocessing)) == spec.shape[0]


def table_columns(samples: Samples, rows: np.ndarray, most: int) -> list[Field]:
    """The first columns of the samples, at most so many."""
    return restored(samples.take(rows), samples.spec, most)


def restored(values: np.ndarray, spec: SampleSpec, most: int) -> list[Field]:
    """The first columns of samples (n, features) as they are stored, at most so many."""
    if is_mixed(spec.preprocessing):
        return list(_mixed(values, spec.preprocessing, most))
    names = columns_of(spec.preprocessing)
    scale = Standardisation.recorded(spec.preprocessing) or Standardisation.none(len(names))
    numbers = values.astype(np.float64) * scale.standard_deviation + scale.mean
    return [_column(name, "number", numbers[:, place]) for place, name in enumerate(names[:most])]


def _column(name: str, kind: Any, values: np.ndarray) -> Field:
    return Field(f"column {name}", name, kind, values, unknown="missing", is_column=True)


def _mixed(values: np.ndarray, preprocessing: Mapping[str, Any], most: int) -> Iterator[Field]:
    start = 0
    for treatment in preprocessing["treatments"][:most]:
        part = values[:, start : start + features.width(treatment)]
        start += part.shape[1]
        if part.shape[1]:
            yield _restored(str(treatment["column"]), part, treatment)


def _restored(name: str, part: np.ndarray, treatment: Mapping[str, Any]) -> Field:
    if treatment["type"] == "category":
        levels = np.array([*map(str, treatment["levels"]), *([RARE] if treatment["rare"] else [])])
        return _column(name, "category", np.where(part.max(axis=1) > 0.5, levels[part.argmax(axis=1)], ""))
    numbers = _number(part, treatment)
    if treatment["type"] == "boolean":
        return _column(name, "category", np.where(np.isnan(numbers), "", np.where(numbers > 0.5, "true", "false")))
    return _column(name, "date" if treatment["type"] == "date" else "number", numbers)


def _number(part: np.ndarray, treatment: Mapping[str, Any]) -> np.ndarray:
    """The number that the first of these features was made of; NaN where an indicator says that it was missing, and
    where a date has left nothing but parts that come round again."""
    if "mean" not in treatment:
        return np.full(len(part), np.nan)
    numbers = part[:, 0].astype(np.float64) * treatment["standard_deviation"] + treatment["mean"]
    if "quantiles" in treatment:
        known = np.array(treatment["quantiles"], np.float64)
        numbers = np.interp(numbers, np.linspace(0, 1, len(known)), known)
    numbers += treatment.get("earliest", 0.0)
    return np.where(part[:, -1] > 0.5, np.nan, numbers) if treatment["indicator"] else numbers
