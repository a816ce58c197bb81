"""What a map can be coloured by: one value of every sample of the page, a category or a number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ae_pipelines.report.page_data.packed import Block, halves
from ae_pipelines.report.results import Results

MOST_CATEGORIES = 5_000
"""What has more different values names samples rather than kinds of them."""
RAMP = (0.01, 0.99)
"""Quantiles that are the ends of the ramp of colours, so that a few extreme numbers do not take all of it."""

Kind = Literal["category", "number", "date"]


@dataclass(frozen=True)
class Field:
    """One value of each sample, in the order of the page's samples."""

    name: str
    """How links and buttons of sections name it."""
    title: str
    """What people read."""
    kind: Kind
    values: np.ndarray
    """Texts ("" where unknown), or float64 (NaN where unknown); dates are days since 1970-01-01."""
    unknown: str = "none"
    """What people read where it is unknown."""
    hover: bool = False
    """Whether it is told where a sample is pointed at."""
    is_column: bool = False
    """Whether it is a column of the samples' table."""

    @property
    def usable(self) -> bool:
        """Whether colours can show it: it tells samples apart, and is not another name of theirs."""
        if self.kind != "category":
            return bool(np.isfinite(self.values).any())
        return 0 < pd.Series(self.values).nunique() <= MOST_CATEGORIES

    def packed(self, block: Block) -> dict[str, Any]:
        """What the page is told of it; its values are in the block."""
        about = {"name": self.name, "title": self.title, "kind": self.kind, "hover": self.hover}
        about |= {"is_column": self.is_column, "column": f"field/{self.name}", "unknown": self.unknown}
        return about | (self._categories(block) if self.kind == "category" else self._numbers(block))

    def _categories(self, block: Block) -> dict[str, Any]:
        numbers, names = pd.factorize(pd.Series(self.values))
        order = sorted(range(len(names)), key=lambda number: _natural(str(names[number])))
        places = np.argsort(order)[numbers]
        block.add(f"field/{self.name}", places.astype(np.uint8 if len(names) <= 256 else np.uint16))
        return {"names": [str(names[number]) for number in order]}

    def _numbers(self, block: Block) -> dict[str, Any]:
        known = self.values[np.isfinite(self.values)]
        low, high = np.quantile(known, RAMP) if len(known) else (0.0, 1.0)
        if low == high:
            low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        about = {"low": float(low), "high": float(high)}
        if self.is_column:  # years and counts have more digits than three
            block.add(f"field/{self.name}", _six_digits(self.values))
            return about
        column, scale = halves(self.values)
        block.add(f"field/{self.name}", column)
        return about | {"scale": scale}


def fields_of(results: Results, rows: np.ndarray) -> list[Field]:
    """All that is known of the samples in these rows; the first is what the map is coloured by at first."""
    found = [*_labels(results, rows), *_groups(results, rows), *_predictions(results, rows)]
    found += [*_errors(results, rows), *_anomalies(results, rows), *_splits(results, rows)]
    return [field for field in found if field.usable]


def _labels(results: Results, rows: np.ndarray) -> Iterator[Field]:
    if results.latents.labelled.any():
        yield category("label", "Label", results.latents.labels[rows], unknown="no label", hover=True)


def _groups(results: Results, rows: np.ndarray) -> Iterator[Field]:
    if results.clusters is not None:
        found = results.clusters.take(rows)
        groups = found["cluster"].to_numpy()
        yield category("group", "Group", np.where(groups < 0, "", groups.astype(str)), unknown="noise", hover=True)
        if results.clusters["distance"].notna().any():
            yield number("group_distance", "Distance to the group's centre", found["distance"].to_numpy())


def _predictions(results: Results, rows: np.ndarray) -> Iterator[Field]:
    if results.predictions is None:
        return
    found, labels = results.predictions.take(rows), results.latents.labels[rows]
    predicted = found["predicted"].to_numpy(object)
    yield category("predicted", "Predicted label", predicted, hover=True)
    right = np.where(labels == "", "", np.where(labels == predicted, "right", "wrong"))
    yield category("right", "Prediction right or wrong", right, unknown="no label")
    yield number("probability", "Probability of the prediction", found["probability"].to_numpy())


def _errors(results: Results, rows: np.ndarray) -> Iterator[Field]:
    titles = {"reconstruction_error": "Reconstruction error", "blurred_error": "Reconstruction error, blurred"}
    found = results.latents.take(rows)
    for name, title in titles.items():
        if name in found:
            yield number(name, title, found[name].to_numpy(np.float64), hover=name == "reconstruction_error")


def _anomalies(results: Results, rows: np.ndarray) -> Iterator[Field]:
    if results.anomalies is not None:
        found = results.anomalies.take(rows)
        yield number("anomaly_score", "Anomaly score", found["score"].to_numpy())
        yield category("anomaly", "Anomaly", np.where(found["anomaly"], "yes", "no"))


def _splits(results: Results, rows: np.ndarray) -> Iterator[Field]:
    yield category("split", "Split", results.latents.splits[rows])
    yield category("seen", "Learned from", np.where(results.latents.seen[rows], "yes", "no"))


def category(name: str, title: str, values: Sequence[Any] | np.ndarray, **more: Any) -> Field:
    """A category from texts, None where unknown."""
    texts = pd.Series(np.asarray(values, object)).fillna("").astype(str).to_numpy(object)
    return Field(name, title, "category", texts, **more)


def number(name: str, title: str, values: np.ndarray, **more: Any) -> Field:
    """A number, NaN where unknown."""
    return Field(name, title, "number", np.asarray(values, np.float64), **more)


def _natural(name: str) -> tuple[int, float, str]:
    """An order in which 2 comes before 10, and what is unknown last."""
    if not name:
        return 2, 0.0, ""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _six_digits(values: np.ndarray) -> np.ndarray:
    """float32, as many digits as the page shows; what scaling there and back leaves would take most of the bytes."""
    size = np.abs(values)
    power = 10.0 ** (5 - np.floor(np.log10(np.where((size > 0) & np.isfinite(size), size, 1.0))))
    return (np.round(values * power) / power).astype(np.float32)
