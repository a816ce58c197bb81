"""The rows of a table of numbers, categories and dates as the numbers that a model takes.

This file needs numpy alone: a copy of it goes with the ONNX files of such a model, for use without this project.
Nothing is learned here. What was learned of the columns (`samples.preprocessing` in `contract.json`) is given:

    columns = as_arrays({"age": [31, None], "kind": ["a", "b"], "since": ["2024-02-29", None]}, preprocessing)
    values = features(columns, preprocessing)  # float32 (rows, features)
    print(surprises(columns, preprocessing))   # what the training has not met, in words

A column is one of four types, and then an array of (rows,):

number, boolean  float64, NaN where missing
date             float64, days since 1970-01-01, NaN where missing
category         text, "" where missing
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

Treatment = Mapping[str, Any]
"""What becomes of a column; one of `preprocessing["treatments"]`."""
Columns = Mapping[str, np.ndarray]
"""Arrays by the name of the column."""

MISSING_TEXTS = {
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA", "NULL"),
    *("NaN", "n/a", "nan", "null"),
}
"""Cells of a CSV file that say that there is nothing, beside those in `preprocessing["missing"]`."""
MOST_SHOWN = 80
"""Characters of a new level that are told."""
CYCLES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "month": (lambda days: np.floor(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12, 12),
    "weekday": (lambda days: (np.floor(days) + 3) % 7, 7),
    "hour": (lambda days: days % 1 * 24, 24),
}
"""Parts of a date that come round again, from days since 1970-01-01 (a Thursday): where it stands, and the length."""


def features(columns: Columns, preprocessing: Mapping[str, Any]) -> np.ndarray:
    """float32 (rows, features), computed in float64; what float32 cannot hold becomes Inf."""
    parts = [part for one in preprocessing["treatments"] for part in treated(columns[one["column"]], one)]
    with np.errstate(over="ignore"):
        return np.stack(parts, axis=1).astype(np.float32)


def treated(values: np.ndarray, treatment: Treatment) -> list[np.ndarray]:
    """The features of one column, each (rows,)."""
    return _categories(values, treatment) if treatment["type"] == "category" else _numbers(values, treatment)


def width(treatment: Treatment) -> int:
    """How many features a column has."""
    return len(names(treatment))


def names(treatment: Treatment) -> list[str]:
    """What a column's features are called, in order."""
    column = treatment["column"]
    if treatment["type"] == "category":
        levels = [f"{column}={level}" if level else f"{column} is missing" for level in treatment["levels"]]
        return levels + ([f"{column} is rare"] if treatment["rare"] else [])
    found = [column] if "mean" in treatment else []
    found += [f"{column}: {way} of {part}" for part in treatment.get("cycles", ()) for way in ("sine", "cosine")]
    return found + ([f"{column} is missing"] if treatment["indicator"] else [])


def surprises(columns: Columns, preprocessing: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """By column: how many rows hold what the training has not met, and what that is."""
    found = {}
    for one in preprocessing["treatments"]:
        values = columns[one["column"]]
        if one["type"] == "category":
            known = {*one["levels"], *one["rare"]}
            new = ~np.isin(values, list(known)) if one["all_listed"] else np.zeros(len(values), bool)
            what = ", ".join(_shown(level) for level in sorted({*values[new]})[:5])
        else:
            new, what = np.isnan(values) & (one["missing"] == 0), "nothing"
        if new.any():
            found[str(one["column"])] = (int(new.sum()), what)
    return found


def _shown(level: str) -> str:
    return repr(level if len(level) <= MOST_SHOWN else level[:MOST_SHOWN] + "...") if level else "nothing"


# -- one column ------------------------------------------------------------------------------------------------


def _numbers(values: np.ndarray, treatment: Treatment) -> list[np.ndarray]:
    missing, found = np.isnan(values), []
    if "mean" in treatment:
        filled = np.where(missing, treatment["fill"], values - treatment.get("earliest", 0.0))
        ranked = _ranks(filled, treatment["quantiles"]) if "quantiles" in treatment else filled
        found.append((ranked - treatment["mean"]) / treatment["standard_deviation"])
    for part in treatment.get("cycles", ()):
        place, length = CYCLES[part]
        angle = 2 * np.pi * place(np.where(missing, 0.0, values)) / length
        found += [np.where(missing, 0.0, np.sin(angle)), np.where(missing, 0.0, np.cos(angle))]
    return found + ([missing.astype(np.float64)] if treatment["indicator"] else [])


def _ranks(values: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Where values lie among the training's, 0 to 1; amid equal ones, in their middle."""
    ranks, known = np.linspace(0, 1, len(quantiles)), np.array(quantiles, np.float64)
    found = (np.interp(values, known, ranks) - np.interp(-values, -known[::-1], -ranks[::-1])) / 2
    return np.where(values == known[0], 0.0, np.where(values == known[-1], 1.0, found))


def _categories(values: np.ndarray, treatment: Treatment) -> list[np.ndarray]:
    found = [(values == level).astype(np.float64) for level in treatment["levels"]]
    rare = [1.0 - np.sum(found, axis=0)] if treatment["rare"] else []
    return found + rare


# -- what a program holds, as arrays ---------------------------------------------------------------------------


def as_arrays(columns: Mapping[str, Sequence[Any]], preprocessing: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Lists of numbers, text, truth values, ISO dates or `datetime`s, with None, NaN or "" where there is nothing, as
    arrays. `ValueError` names the column that is not there, or what it holds that it may not."""
    found = {}
    for one in preprocessing["treatments"]:
        name, kind = str(one["column"]), str(one["type"])
        if name not in columns:
            raise ValueError(f"no column {name!r}: give {', '.join(map(repr, preprocessing['columns']))}")
        found[name] = _array(name, kind, columns[name], {*MISSING_TEXTS, *preprocessing.get("missing", ())})
    return found


def _array(name: str, kind: str, values: Sequence[Any], missing: set[str]) -> np.ndarray:
    held, read = [], READ[kind]
    for row, value in enumerate(values):
        try:
            held.append(EMPTY[kind] if _is_missing(value, missing) else read(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"row {row} of column {name!r} holds {value!r}, expected {EXPECTED[kind]}") from error
    return np.array(held, object if kind == "category" else np.float64)


def _is_missing(value: Any, texts: set[str]) -> bool:
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return True
    return _text(value) in texts


def _text(value: Any) -> str:
    """Numbers that are whole are named alike, whatever their type."""
    whole = isinstance(value, float | np.floating) and value.is_integer()
    return str(int(value)) if whole else str(value).strip()


def _truth(value: Any) -> float:
    text = value.strip().lower() if isinstance(value, str) else value
    return _number({"true": 1, "false": 0}.get(text, text))


def _number(value: Any) -> float:
    found = float(value)
    if not np.isfinite(found):
        raise ValueError
    return found


def _days(value: Any) -> float:
    """In UTC, where a time zone is said."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip().replace("/", "-"))
    if not isinstance(value, date | np.datetime64):
        raise ValueError
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return float(np.datetime64(value, "us").astype(np.int64)) / 86_400e6


READ: dict[str, Callable[[Any], Any]] = {"number": _number, "boolean": _truth, "date": _days, "category": _text}
EMPTY: dict[str, Any] = {"number": np.nan, "boolean": np.nan, "date": np.nan, "category": ""}
EXPECTED = {"number": "numbers", "boolean": "true or false", "date": "dates such as 2024-02-29", "category": "text"}
