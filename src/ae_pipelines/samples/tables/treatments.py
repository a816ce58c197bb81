"""What becomes of each column of a table: learned from its train rows, kept as plain numbers and text.

`features.py` applies it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.features import Columns

ColumnType = Literal["number", "boolean", "date", "category"]
NUMERIC: set[str] = {"number", "boolean"}
"""Types whose values are numbers."""

FORMATS = "formats"
"""Name in the preprocessing of samples of how columns of a CSV file were written, where someone might misread them."""
LEARNED = ("treatments", "left_out", FORMATS)
"""Names in the preprocessing of samples of what was learned of their columns."""
FEWEST = 2
"""Rows that a level of a category must have, however small the table, to have a feature of its own."""
LISTED_LEVELS = 1000
"""Rare levels of a category that are named, so that new ones can be told from them."""
QUANTILES = 101
MOST_FEATURES = 50_000
"""More than this is refused."""


@dataclass(frozen=True)
class Treating:
    """How columns are treated."""

    scaling: Literal["standardise", "quantile", "none"] = "standardise"
    min_frequency: float = 0.01
    """Share of the rows (below 1), or number of rows (from 1 on), that a level has to have."""
    max_categories: int = 30

    def fewest(self, rows: int) -> int:
        """The number of rows that a level has to have."""
        asked = self.min_frequency * rows if self.min_frequency < 1 else self.min_frequency
        return max(FEWEST, ceil(asked))


# -- what is learned of them -----------------------------------------------------------------------------------


def learn(rows: Columns, types: Mapping[str, ColumnType], treating: Treating) -> dict[str, Any]:
    """`columns` and their `treatments`, for `SampleSpec.preprocessing`, from train rows of which none is Inf.

    As scikit-learn's ColumnTransformer of SimpleImputer (median) and StandardScaler, or QuantileTransformer before it;
    MissingIndicator; OneHotEncoder with an infrequent level. A column that says nothing has no features. Indicators
    and levels stay 0 and 1: a category then weighs at most as much as one number, however many levels it has.
    """
    numbers = {name: values for name, values in rows.items() if types[name] != "category"}
    texts = {name: values for name, values in rows.items() if types[name] == "category"}
    found = _numbers(numbers, types, treating) | _categories(texts, treating)
    preprocessing = {"columns": list(rows), "treatments": [found[name] for name in rows]}
    _refuse_width(preprocessing, len(next(iter(rows.values()))))
    return preprocessing


def _numbers(rows: Columns, types: Mapping[str, ColumnType], treating: Treating) -> dict[str, dict[str, Any]]:
    if not rows:
        return {}
    found = {name: _before_scaling(name, values, types[name]) for name, values in rows.items()}
    values = np.stack([rows[name] - found[name].get("earliest", 0.0) for name in rows], axis=1)
    for name, learned in zip(rows, _scales(values, list(rows), treating), strict=True):
        found[name] = {key: value for key, value in (found[name] | learned).items() if value is not None}
    return found


def _before_scaling(name: str, values: np.ndarray, kind: ColumnType) -> dict[str, Any]:
    missing = np.isnan(values)
    one: dict[str, Any] = {
        **{"column": name, "type": kind, "missing": round(float(missing.mean()), 6)},
        "indicator": bool(missing.any() and not missing.all()),
    }
    if kind == "date" and not missing.all():
        known = values[~missing]
        one["earliest"] = float(np.floor(known.min()))
        one["cycles"] = [part for part, (place, _) in features.CYCLES.items() if np.ptp(place(known))]
    return one


def _scales(values: np.ndarray, names: Sequence[str], treating: Treating) -> list[dict[str, Any]]:
    """For each column what is put in where it is missing, and how it is scaled; nothing where it is constant."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(values)
    filled = imputer.transform(values)
    ranks = _ranks(filled) if treating.scaling == "quantile" else None
    scaled = filled if ranks is None else ranks.transform(filled)
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = StandardScaler().fit(scaled)
    _refuse_overflow(scaler.var_, names)
    constant = scaler.scale_ != np.sqrt(scaler.var_)
    none = treating.scaling == "none"
    return [
        {}
        if constant[place]
        else {
            "fill": float(imputer.statistics_[place]),
            "quantiles": None if ranks is None else ranks.quantiles_[:, place].tolist(),
            "mean": 0.0 if none else float(scaler.mean_[place]),
            "standard_deviation": 1.0 if none else float(scaler.scale_[place]),
        }
        for place in range(values.shape[1])
    ]


def _ranks(values: np.ndarray) -> Any:
    from sklearn.preprocessing import QuantileTransformer

    return QuantileTransformer(n_quantiles=min(QUANTILES, len(values)), subsample=None).fit(values)


def _categories(rows: Columns, treating: Treating) -> dict[str, dict[str, Any]]:
    if not rows:
        return {}
    from sklearn.preprocessing import OneHotEncoder

    values = np.stack([*rows.values()], axis=1)
    encoder = OneHotEncoder(
        min_frequency=treating.fewest(len(values)),
        max_categories=treating.max_categories,
        handle_unknown="infrequent_if_exist",
    ).fit(values)
    found = {}
    for name, every, infrequent in zip(rows, encoder.categories_, encoder.infrequent_categories_, strict=True):
        rare = [] if infrequent is None else infrequent.tolist()
        levels = [level for level in every.tolist() if level not in {*rare}]
        found[name] = {
            **{"column": name, "type": "category", "missing": round(float((rows[name] == "").mean()), 6)},
            "levels": levels if len(every) > 1 and levels else [],
            "rare": rare[:LISTED_LEVELS] if levels else [],
            "all_listed": len(rare) <= LISTED_LEVELS,
        }
    return found


def _refuse_overflow(variances: np.ndarray, names: Sequence[str]) -> None:
    if not (finite := np.isfinite(variances)).all():
        beyond = first_of([repr(names[place]) for place in np.flatnonzero(~finite).tolist()])
        raise InputError(
            f"the variance of {beyond} is more than float64 can hold: fix the values, or leave the column out",
            options={"source.columns": "[...]"},
        )


def _refuse_width(preprocessing: Mapping[str, Any], rows: int) -> None:
    widths = {one["column"]: features.width(one) for one in preprocessing["treatments"]}
    if not sum(widths.values()):
        raise InputError(
            f"all of the {len(widths)} columns are constant over the {rows} train rows: there is nothing to learn "
            "from them, give others"
        )
    if sum(widths.values()) > MOST_FEATURES:
        widest = first_of(sorted(map(str, widths), key=lambda name: -widths[name]), 5)
        raise InputError(
            f"{len(widths)} columns would become {sum(widths.values()):,} features, most of them from {widest}; at "
            f"most {MOST_FEATURES:,} can be learned from: name fewer columns, or merge more levels",
            options={"source.columns": "[...]", "source.max_categories": "10"},
        )


# -- in words, and back to columns -----------------------------------------------------------------------------


def is_mixed(preprocessing: Mapping[str, Any]) -> bool:
    """Whether samples are rows whose columns were treated one by one."""
    return "treatments" in preprocessing


def described(preprocessing: Mapping[str, Any]) -> pd.DataFrame:
    """A row a column of a table: `column`, `type`, `treatment`, `missing` (share of the train rows), `features`; no
    rows if the samples have no columns."""
    rows = [
        (one["column"], one["type"], _in_words(one), one["missing"], features.width(one))
        for one in preprocessing.get("treatments", ())
    ]
    if not rows:
        how = "standardised" if "mean" in preprocessing else "as it is"
        rows = [(name, "number", how, 0.0, 1) for name in preprocessing.get("columns", ())]
    rows += [(name, "", f"left out: {why}", np.nan, 0) for name, why in preprocessing.get("left_out", {}).items()]
    return pd.DataFrame(rows, columns=["column", "type", "treatment", "missing", "features"])


def _in_words(one: Mapping[str, Any]) -> str:
    if not features.width(one):
        return "left out: constant over the train rows"
    if one["type"] == "category":
        levels = sum(bool(level) for level in one["levels"])
        missing = ", one of them for missing" if "" in one["levels"] else ""
        return f"one-hot: {levels + bool(missing)} levels{missing}" + (", the rare ones merged" if one["rare"] else "")
    said = [f"days since {np.datetime64(int(one['earliest']), 'D')}"] if "earliest" in one and "mean" in one else []
    if "mean" in one:
        unscaled = (one["mean"], one["standard_deviation"]) == (0, 1)
        said.append("its rank, standardised" if "quantiles" in one else "as it is" if unscaled else "standardised")
    said += [f"{part} (sine and cosine)" for part in one.get("cycles", ())]
    if one["indicator"]:
        said.append(f"missing: {one['fill']:.4g}, and an indicator" if "mean" in one else "whether it is missing")
    return "; ".join(said)


def in_words(surprises: Mapping[str, tuple[int, str]]) -> str:
    """What `features.surprises` found."""
    return first_of([f"{what} in column {name!r} ({count} rows)" for name, (count, what) in surprises.items()])


def columns_of(preprocessing: Mapping[str, Any]) -> list[str]:
    """The column that each feature belongs to; empty if samples have no columns."""
    if not is_mixed(preprocessing):
        return list(preprocessing.get("columns", ()))
    return [one["column"] for one in preprocessing["treatments"] for _ in range(features.width(one))]


def errors_by_column(errors: np.ndarray, preprocessing: Mapping[str, Any]) -> pd.DataFrame:
    """Squared errors of features (rows, features) as the share of each column in their mean: a row's sum is its mean
    squared error."""
    owners = pd.Index(columns_of(preprocessing))
    return pd.DataFrame({name: errors[:, owners == name].sum(axis=1) / len(owners) for name in owners.unique()})


def worst(errors: pd.DataFrame, most: int = 3) -> list[str]:
    """For each row, in words, the columns with the largest errors: "age: 3.1, kind: 0.2 of 3.4"."""
    return [_worst(row, most) for _, row in errors.iterrows()]


def _worst(row: pd.Series, most: int) -> str:
    largest = row.sort_values(ascending=False, kind="stable")[:most]
    return ", ".join(f"{name}: {error:.2g}" for name, error in largest.items()) + f" of {row.sum():.2g}"


def in_lines(table: pd.DataFrame, most: int = 40) -> Iterable[str]:
    """The table that `described` gives, as lines of text."""
    share = table["missing"].map("{:.1%}".format).replace("nan%", "")
    shown = table.assign(missing=share).head(most).astype(str)
    cells: list[list[str]] = [table.columns.tolist(), *shown.to_numpy().tolist()]
    order = ("column", "type", "missing", "features", "treatment")
    places = [cells[0].index(name) for name in order]
    widths = [max(len(row[place]) for row in cells) for place in places]
    for row in cells:
        yield "  ".join(row[place].ljust(width) for place, width in zip(places, widths, strict=True)).rstrip()
    if len(table) > most:
        yield f"... and {len(table) - most} more columns"
