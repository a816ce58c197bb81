"""The features of a table's rows, back in its columns as people know them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ae_pipelines.report.scales import shown
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.tables import features, treatments
from ae_pipelines.samples.tables.treatments import columns_of, is_mixed

MISSING = "missing"
DIGITS = 5
"""Of values as they were in the table."""


def has_columns(spec: SampleSpec) -> bool:
    """Whether samples are rows with named columns."""
    names = columns_of(spec.preprocessing)
    return bool(names) and spec.shape == (len(names),)


def in_columns(values: np.ndarray, spec: SampleSpec) -> list[dict[str, str]]:
    """For each row of features (n, features) the value of each column in words; of a reconstruction, which lies between
    levels, the nearest one."""
    preprocessing = spec.preprocessing
    if not is_mixed(preprocessing):
        return _numbers_alone(values, preprocessing)
    widths = [features.width(one) for one in preprocessing["treatments"]]
    parts = np.split(values, np.cumsum(widths)[:-1], axis=1)
    treatments = [(one, part) for one, part in zip(preprocessing["treatments"], parts, strict=True) if part.shape[1]]
    return [{str(one["column"]): _value(one, part[row]) for one, part in treatments} for row in range(len(values))]


def _numbers_alone(values: np.ndarray, preprocessing: Mapping[str, Any]) -> list[dict[str, str]]:
    scale = Standardisation.recorded(dict(preprocessing)) or Standardisation.none(values.shape[1])
    raw = values * scale.standard_deviation + scale.mean
    return [
        dict(zip(map(str, preprocessing["columns"]), (shown(value, DIGITS) for value in row.tolist()), strict=True))
        for row in raw
    ]


def _value(one: Mapping[str, Any], part: np.ndarray) -> str:
    if one["type"] == "category":
        levels = [*(level or MISSING for level in one["levels"]), *(["a rare one"] if one["rare"] else [])]
        return str(levels[int(part.argmax())])
    if one["indicator"] and part[-1] > 0.5:
        return MISSING
    if "mean" not in one:
        return "there"
    number = float(part[0]) * one["standard_deviation"] + one["mean"]
    if "quantiles" in one:
        number = float(np.interp(number, np.linspace(0, 1, len(one["quantiles"])), one["quantiles"]))
    if one["type"] == "boolean":
        return "true" if number > 0.5 else "false"
    return _moment(number, one) if one["type"] == "date" else shown(number, DIGITS)


def _moment(days: float, one: Mapping[str, Any]) -> str:
    """To the minute where the hours of the column differ."""
    moment = np.datetime64(0, "s") + np.timedelta64(round((days + one["earliest"]) * 86_400), "s")
    unit = "datetime64[m]" if "hour" in one.get("cycles", ()) else "datetime64[D]"
    return str(moment.astype(unit)).replace("T", " ")


def errors_by_column(residual: np.ndarray, spec: SampleSpec) -> list[dict[str, float]]:
    """For each row of residuals (n, features) the part that each column has in its mean squared error."""
    errors = treatments.errors_by_column(np.square(residual, dtype=np.float64), spec.preprocessing)
    return [{str(name): float(value) for name, value in row.items()} for _, row in errors.iterrows()]
