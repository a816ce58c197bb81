"""The features of a table's rows in words, column by column."""

import numpy as np

from ae_pipelines.report.page_data.fields import Field
from ae_pipelines.report.page_data.table_columns import restored
from ae_pipelines.report.shown.scales import shown
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.tables import features, treatments

DIGITS = 5
"""Of values as they were in the table."""


def in_columns(values: np.ndarray, spec: SampleSpec) -> list[dict[str, str]]:
    """For each row of features (n, features) the value of each column in words; of a reconstruction, which lies between
    levels, the nearest one."""
    with_hours = {one["column"] for one in spec.preprocessing.get("treatments", ()) if "hour" in one.get("cycles", ())}
    columns = {
        field.title: _words(field, "m" if field.title in with_hours else "D")
        for field in restored(_nearest_levels(values, spec), spec, values.shape[1])
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _nearest_levels(values: np.ndarray, spec: SampleSpec) -> np.ndarray:
    """Of each category one feature is 1, the largest, and the others are 0."""
    found, start = values.copy(), 0
    for treatment in spec.preprocessing.get("treatments", ()):
        width = features.width(treatment)
        if treatment["type"] == "category" and width:
            part = found[:, start : start + width]
            part[:] = np.eye(width)[part.argmax(axis=1)]
        start += width
    return found


def _words(field: Field, unit: str) -> list[str]:
    if field.kind == "category":
        return [str(value) or field.unknown for value in field.values]
    values = field.values.tolist()
    if field.kind == "date":
        return [field.unknown if np.isnan(days) else _moment(days, unit) for days in values]
    return [field.unknown if np.isnan(value) else shown(value, DIGITS) for value in values]


def _moment(days: float, unit: str) -> str:
    """To the minute, or to the day; float32 does not keep seconds."""
    return str(np.datetime64(round(days * 1440), "m").astype(f"datetime64[{unit}]")).replace("T", " ")


def peculiar(values: np.ndarray, others: np.ndarray, spec: SampleSpec, most: int) -> list[tuple[str, str]]:
    """The columns in which the mean of rows of features differs most from that of other rows, and what it is."""
    mean = values.mean(axis=0, keepdims=True)
    apart = errors_by_column(mean - others.mean(axis=0, keepdims=True), spec)[0]
    words = in_columns(mean, spec)[0]
    return [(name, words[name]) for name in sorted(apart, key=lambda name: -apart[name])[:most] if apart[name] > 0]


def errors_by_column(residual: np.ndarray, spec: SampleSpec) -> list[dict[str, float]]:
    """For each row of residuals (n, features) the part that each column has in its mean squared error."""
    errors = treatments.errors_by_column(np.square(residual, dtype=np.float64), spec.preprocessing)
    return [{str(name): float(value) for name, value in row.items()} for _, row in errors.iterrows()]
